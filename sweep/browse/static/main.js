// The page: it asks what the study is, draws what the view says, and follows the store.

import {ask, askHead, forget, isSaved, Refusal} from "page/ask"
import {Cases, setStudy} from "page/cases"
import {drawControls} from "page/controls"
import {Details} from "page/details"
import {button, element, fill, say, showProblem} from "page/dom"
import {Effects} from "page/effects"
import {Histogram} from "page/histogram"
import {Map2d} from "page/map"
import {VALUE} from "page/map_input"
import {quantile} from "page/numbers"
import {Parallel} from "page/parallel"
import {Runs} from "page/runs"
import {release} from "page/spans"
import {adopt, begin, choose, onChange, view} from "page/view"

const TABS = {overview: "Overview", runs: "Runs", parallel: "Parallel", trust: "Trust"}
const areTwo = document.body.dataset.studies == "2"
if (areTwo) TABS.compare = "Compare"
const MAX_CHOSEN = 7
const MAX_RUNS_AHEAD = 200_000
const OF_DETAILS = ["runs", "part", "snapshot", "per"]
const OPEN_MILLISECONDS = 1000
const FINISHED_MILLISECONDS = 5000
const HOVER_MILLISECONDS = 80
const KEYS = [
  ["arrows", "from cell to cell of the map"],
  ["Enter, Shift + Enter", "choose the cell, add it"],
  ["/", "the filter"],
  ["1 to 5", "the views"],
  ["Escape", "clear the selection"],
  ["?", "these keys"],
]

const place = Object.fromEntries(
  ["head", "views", "controls", "main", "help"].map(id => [id, document.getElementById(id)]),
)
const state = {cases: null, chosen: null, group: null, groupWords: "", map: null}
const pace = []
let study = null
let head = null
let parts = null
let hovered = null
let turn = 0
let isLost = false

function caption() {
  const filter = view.where ? `, where ${view.where}` : ""
  return `${study.store}${filter}; sweep ${study.title}`
}

function defaults() {
  return {
    tab: "overview",
    name: study.target,
    x: study.begin.x,
    y: study.begin.y ?? VALUE,
    over: study.begin.over ?? "",
    fixed: {},
    where: "",
    runs: [],
    brush: {},
    group: "",
    form: "points",
    rings: "",
    scale: "auto",
    time: "auto",
    part: "curves",
    per: "mass",
    snapshot: "0",
    sort: "",
    columns: [],
  }
}

/** Choose cases, or rows of the table, or add them to the chosen ones. */
const pick = {
  choose(cells, isAdded, areRuns = false) {
    const runs = cells.map(each => String(areRuns ? each : state.cases.answer.run[each]))
    const first = runs[0]
    if (!isAdded) choose({runs: [first]})
    else if (view.runs.includes(first)) choose({runs: view.runs.filter(run => run != first)})
    else choose({runs: [...view.runs, first].slice(-MAX_CHOSEN)})
  },
  hover(cell) {
    const before = JSON.stringify(hovered)
    hovered = cell
    if (JSON.stringify(cell) == before) return
    clearTimeout(pick.timer)
    pick.timer = setTimeout(
      () => parts.details.draw(state.cases, hovered).catch(tell),
      HOVER_MILLISECONDS,
    )
  },
}

function build() {
  const map = new Map2d(study, caption, pick)
  state.map = map
  parts = {
    map,
    effects: new Effects(study),
    details: new Details(study, caption),
    histogram: new Histogram(study, caption),
    runs: new Runs(study, pick),
    ratio: new Map2d(study, caption, pick),
    comparison: element("div", {class: "text compared"}),
    parallel: new Parallel(study, pick),
    trust: element("div", {class: "text", "aria-label": "trust", role: "region", tabindex: "0"}),
  }
  const overview = element(
    "div",
    {id: "overview", class: "grid"},
    parts.effects.box,
    element("div", {class: "middle"}, map.figure.box),
    parts.details.box,
    element("div", {class: "foot"}, parts.histogram.figure.box),
  )
  const side = element("div", {class: "side"})
  fill(
    place.main,
    overview,
    element("div", {id: "runs", class: "pair"}, parts.runs.box, side),
    element("div", {id: "parallel", class: "pair"}, parts.parallel.box),
    element("div", {id: "trust"}, parts.trust),
    areTwo
      ? element("div", {id: "compare", class: "pair"}, parts.ratio.figure.box, parts.comparison)
      : null,
  )
  parts.overview = overview
  parts.side = side
  fill(
    place.help,
    element("h2", {}, "Keys"),
    element(
      "dl",
      {},
      ...KEYS.flatMap(([key, words]) => [element("dt", {}, key), element("dd", {}, words)]),
    ),
    button("close", () => place.help.close()),
  )
}

/** Let the figures fill the window below what stands above them. */
function fit() {
  const above = place.main.getBoundingClientRect().top + window.scrollY
  document.documentElement.style.setProperty("--above", `${Math.ceil(above) + 14}px`)
}

function drawViews() {
  fill(
    place.views,
    ...Object.entries(TABS).map(([name, words]) =>
      button(words, () => choose({tab: name}), {
        role: "tab",
        "aria-selected": String(view.tab == name),
      }),
    ),
  )
  if (!(view.tab in TABS)) adopt({tab: "overview"})
  for (const name of Object.keys(TABS)) document.getElementById(name).hidden = view.tab != name
  // the details stand beside whatever is looked at
  const home = view.tab == "overview" ? parts.overview : view.tab == "trust" ? null : parts.side
  if (home == parts.overview) home.insertBefore(parts.details.box, home.querySelector(".foot"))
  else if (home)
    (document.getElementById(view.tab).append(parts.side), parts.side.append(parts.details.box))
}

/** Choose a case at the start: the middle of the map, or the middle of the results. */
function chooseFirst(cases) {
  if (view.runs.length || !cases.count) return
  const names = study.parameters.map(each => each.name).filter(name => cases.codes(name))
  const values = Array.from(cases.answer.value)
    .filter(Number.isFinite)
    .sort((a, b) => a - b)
  const median = quantile(values, 0.5)
  const middles = names.map(name => [cases.codes(name), state.map.middle(name)])
  let best = -1
  let least = Infinity
  for (let i = 0; i < cases.count; i++) {
    if (!cases.hasValue(i) || !cases.isIncluded(i)) continue
    const distance =
      study.kind == "product"
        ? middles.reduce((sum, [codes, middle]) => sum + Math.abs(codes[i] - middle), 0)
        : Math.abs(cases.answer.value[i] - median)
    if (distance < least) [best, least] = [i, distance]
  }
  if (best >= 0) adopt({runs: [String(cases.answer.run[best])]})
}

/** Draw everything that is open. */
async function draw() {
  const own = ++turn
  drawViews()
  if (view.tab == "trust") {
    drawControls(study, place.controls, state, fitToShown)
    const {html} = await ask("trust")
    if (own == turn) parts.trust.innerHTML = html // the server's templates escape every text
    return
  }
  const isOfBoth = view.tab == "compare"
  const cases = isOfBoth
    ? await Cases.ofBoth(view.name, view.where)
    : await Cases.of(view.name, view.where)
  const more = isOfBoth ? new Map() : await parts.map.read(view.where)
  if (own != turn) return
  showProblem("")
  state.cases = cases
  state.map = isOfBoth ? parts.ratio : parts.map
  state.map.more = more
  if (cases.answer != state.answer) {
    state.answer = cases.answer
    state.map.cursor = null
    hovered = null
  }
  state.map.cases = cases
  state.group = groupOf()
  state.chosen = cases.chosen(state.group?.cases)
  chooseFirst(cases)
  drawControls(study, place.controls, state, fitToShown)
  fit()
  const isLog = view.scale == "auto" ? cases.answer.is_log : view.scale == "log"
  const jobs = []
  if (view.tab == "overview") {
    // indices of a sample take a while, and nothing waits for them
    parts.effects.draw().catch(tell)
    jobs.push(state.map.draw(cases, state.chosen), parts.histogram.draw(cases, state.chosen, isLog))
  } else if (isOfBoth) {
    jobs.push(
      state.map.draw(cases, state.chosen),
      ask("comparison").then(({html}) => {
        parts.comparison.innerHTML = html // the server's templates escape every text
      }),
    )
  } else if (view.tab == "runs")
    jobs.push(
      parts.runs.draw(state.group?.runs ?? null, selectedRuns(cases), Boolean(cases.answer.rings)),
    )
  else parts.parallel.draw(cases, state.chosen, isLog)
  jobs.push(parts.details.draw(cases, hovered))
  await Promise.all(jobs)
}

function selectedRuns(cases) {
  return state.chosen && new Set(cases.answer.run.filter((_, i) => state.chosen[i]))
}

function groupOf() {
  const index = head.keys.indexOf(view.group)
  if (index < 0) return null
  state.groupWords = head.words[index]
  return {runs: new Set(head.groups[index]), cases: new Set(head.first_runs[index])}
}

function tell(error) {
  if (error instanceof Refusal) showProblem(error.message)
  else {
    showProblem(`the page has failed: ${error.message}`)
    throw error
  }
}

/** Draw, and let the page say that it is busy until that is done. */
async function redraw() {
  document.body.dataset.busy = "yes"
  const own = turn + 1
  await draw().catch(error => own == turn && tell(error))
  if (own == turn) document.body.dataset.busy = ""
}

/** Let axes and colours span what is shown. */
function fitToShown() {
  release()
  redraw()
}

/** Draw the details alone, and mark the chosen runs on the map. */
async function redrawDetails() {
  document.body.dataset.busy = "yes"
  const own = turn
  state.map.mark()
  await parts.details.draw(state.cases, hovered).catch(tell)
  if (own == turn) document.body.dataset.busy = ""
  if (view.runs.length) say(`run ${view.runs.join(", ")} chosen`)
}

/** Show how far the sweep has come; if it has changed, draw it anew. */
async function follow() {
  try {
    await take(await askHead())
  } catch (error) {
    tell(error)
  } finally {
    const isSlow = !head.is_open && !isLost
    setTimeout(follow, isSlow ? FINISHED_MILLISECONDS : OPEN_MILLISECONDS)
  }
}

/** Take what the server says of the state of the sweep. */
async function take(answer) {
  if (answer.error) {
    isLost = true
    showProblem("the server does not answer; this page goes on as soon as it does")
    return
  }
  if (isLost) showProblem("")
  isLost = false
  if (answer.html != head.html) showHead(answer)
  drawPace(answer)
  if (answer.version != head.version) {
    forget()
    // the figures keep the same object
    Object.assign(study, await ask("study"))
  }
  const isNew = answer.version != head.version
  head = answer
  if (isNew) await redraw()
}

/** Draw how many runs were done at which time since the page was opened. */
function drawPace(answer) {
  const now = performance.now()
  pace.push([now, answer.done + answer.failed])
  const since = pace[0][0]
  if (!answer.is_open || pace.length < 3 || now == since) return
  const points = pace.map(
    ([time, done]) =>
      `${(80 * (time - since)) / (now - since)},${20 - (20 * done) / Math.max(answer.runs, 1)}`,
  )
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  for (const [name, value] of Object.entries({
    viewBox: "0 0 80 20",
    width: 80,
    height: 20,
    role: "img",
    "aria-label": "runs done over time",
  }))
    drawing.setAttribute(name, value)
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline")
  for (const [name, value] of Object.entries({
    points: points.join(" "),
    fill: "none",
    stroke: "currentColor",
    "stroke-width": 1.5,
  }))
    line.setAttribute(name, value)
  drawing.append(line)
  document.getElementById("pace")?.replaceChildren(drawing)
}

function showHead(answer) {
  const isOpen = [...place.head.querySelectorAll("details")].map(each => each.open)
  place.head.innerHTML = answer.html // the server's templates escape every text
  place.head.querySelectorAll("details").forEach((each, k) => {
    each.open = isOpen[k] ?? false
  })
  for (const each of place.head.querySelectorAll("button[data-group]")) {
    each.addEventListener("click", () => {
      each.closest("details").open = false
      choose({group: each.dataset.group, tab: "runs"})
    })
  }
}

document.addEventListener("keydown", event => {
  if (event.key == "Escape") {
    for (const each of document.querySelectorAll("header details[open]")) each.open = false
    choose({brush: {}, group: ""})
    return
  }
  if (
    event.target.closest("input, select, textarea") ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey
  )
    return
  if (event.key == "/") {
    event.preventDefault()
    document.getElementById("filter")?.focus()
  } else if (event.key == "?") place.help.showModal()
  else if (/^[1-5]$/.test(event.key))
    choose({tab: Object.keys(TABS)[Number(event.key) - 1] ?? view.tab})
})
document.addEventListener("click", event => {
  for (const each of document.querySelectorAll("header details[open]"))
    if (!each.contains(event.target)) each.open = false
})
place.controls.addEventListener("submit", event => event.preventDefault())
window.addEventListener("resize", () => parts && fit())
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw)

async function start() {
  const isAsked = askHead()
  study = await ask("study")
  setStudy(study)
  begin(defaults())
  // the largest answer is on its way while the page is built
  Cases.of(view.name, view.where).catch(() => {})
  build()
  head = await isAsked
  if (head.error) throw new Refusal(head.error)
  showHead(head)
  onChange(changed => {
    const isOfDetails = [...changed].every(key => OF_DETAILS.includes(key))
    if (isOfDetails && state.cases && document.body.dataset.busy != "yes" && view.tab == "overview")
      redrawDetails()
    else redraw()
  })
  await redraw()
  document.body.dataset.ready = "yes"
  if (isSaved) return
  setTimeout(follow, OPEN_MILLISECONDS)
  askAhead()
}

/** Ask for what the other views need while a person looks at the first. */
async function askAhead() {
  if (head.runs > MAX_RUNS_AHEAD) return
  await parts.runs.ask().catch(() => {})
  await ask("trust").catch(() => {})
}

start().catch(tell)
