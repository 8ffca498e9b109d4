// The chosen runs in detail: their curves, their size distributions, and their numbers.

import {ask, Refusal} from "page/ask"
import {button, element, fill, select} from "page/dom"
import {DASHES, Figure, lineColour, plain} from "page/figure"
import {Curves} from "page/curves"
import {logTicks, number} from "page/numbers"
import {range} from "page/grids"
import {choose, view} from "page/view"

const MAX_WORDS = 60
const PARTS = {curves: "Curves", sizes: "Sizes", numbers: "Numbers"}

/** The right side of the page. */
export class Details {
  constructor(study, caption) {
    this.study = study
    this.turn = 0
    this.tabs = element("div", {class: "tabs", role: "tablist", "aria-label": "details"})
    this.legend = element("p", {class: "chips"})
    this.curves = new Curves(study, caption)
    this.sizes = new Figure("sizes", caption)
    this.sizesControls = element("div", {class: "row"})
    this.sizesBox = element("div", {class: "stack"}, this.sizesControls, this.sizes.box)
    this.numbers = element("div", {
      class: "text",
      tabindex: "0",
      role: "region",
      "aria-label": "numbers of the chosen runs",
    })
    this.box = element(
      "div",
      {class: "details"},
      this.tabs,
      this.legend,
      this.curves.figure.box,
      this.sizesBox,
      this.numbers,
    )
  }

  /** Show the chosen cases, and what is under the pointer. */
  async draw(cases, hovered) {
    fill(
      this.tabs,
      ...Object.entries(PARTS).map(([name, words]) =>
        button(words, () => choose({part: name}), {
          role: "tab",
          "aria-selected": String(view.part == name),
        }),
      ),
    )
    this.curves.figure.box.hidden = view.part != "curves"
    this.sizesBox.hidden = view.part != "sizes"
    this.numbers.hidden = view.part != "numbers"
    const lines = this.lines(cases, hovered)
    this.legend.hidden = view.part == "curves" && lines.length > 0
    fill(
      this.legend,
      ...lines
        .filter(line => !line.isHovered)
        .map(line =>
          element(
            "span",
            {},
            element("span", {class: "chip", style: `background:${line.colour}`}),
            line.words,
          ),
        ),
    )
    if (!lines.length)
      this.legend.textContent =
        "Nothing is chosen: click a cell, a point, or a row; with Shift, more are added."
    if (view.part == "curves") await this.curves.draw(lines, this.many)
    else if (view.part == "sizes") {
      const own = lines.filter(line => !line.isHovered)
      await this.drawSizes(own, Boolean(cases.answer.rings))
    } else await this.drawNumbers()
  }

  /** Return the lines of the chosen runs, named by the parameters in which they differ. */
  lines(cases, hovered) {
    const runs = view.runs.map(Number)
    const indices = runs.map(run => cases.indexOf(run))
    const names = this.study.parameters.map(each => each.name).filter(name => cases.has(name))
    const differing = names.filter(
      name => new Set(indices.filter(i => i >= 0).map(i => cases.words(name, i))).size > 1,
    )
    const shown = (differing.length ? differing : names).slice(0, 4)
    const all = i => (i < 0 ? "" : `: ${shown.map(name => cases.phrase(name, i)).join(", ")}`)
    const words = i => (all(i).length > MAX_WORDS ? `${all(i).slice(0, MAX_WORDS)}…` : all(i))
    const noun = cases.answer.rings ? "disk of run" : "run"
    const lines = runs.map((run, k) => ({
      run,
      words: `${noun} ${run}${words(indices[k])}`,
      colour: lineColour(this.study.colours, k),
      dash: DASHES[k % DASHES.length],
      isHovered: false,
    }))
    const twins = cases.answer.run_b
    if (twins) {
      for (const [k, i] of indices.entries()) {
        if (i >= 0 && twins[i] >= 0) {
          lines.push({
            ...lines[k],
            run: twins[i],
            words: `second study: run ${twins[i]}`,
            dash: "dash",
            study: 1,
          })
        }
      }
    }
    this.many = hovered && hovered.length > 1 ? hovered.map(i => cases.answer.run[i]) : null
    if (hovered?.length == 1 && !runs.includes(cases.answer.run[hovered[0]])) {
      const i = hovered[0]
      lines.push({
        run: cases.answer.run[i],
        words: `pointer: run ${cases.answer.run[i]}`,
        colour: "#888888",
        dash: "dot",
        isHovered: true,
      })
    }
    return lines
  }

  async drawSizes(lines, areDisks) {
    const turn = ++this.turn
    const answers = []
    const problems = []
    for (const line of lines) {
      try {
        answers.push([line, await ask("sizes", {runs: String(line.run)}, line.study ?? 0)])
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        problems.push(error.message)
      }
    }
    if (turn != this.turn) return
    // masses need the configuration, which not every record gives
    const per = answers.every(([, answer]) => view.per in answer.densities) ? view.per : "number"
    const last = Math.max(0, ...answers.map(([, answer]) => answer.t.length - 1))
    const snapshot = Math.min(Number(view.snapshot), last)
    const slider = element("input", {
      type: "range",
      min: "0",
      max: String(last),
      value: String(snapshot),
      "aria-label": "snapshot",
      input: () => choose({snapshot: slider.value}, false),
    })
    const when = answers.length
      ? `${number(answers[0][1].t[Math.min(snapshot, answers[0][1].t.length - 1)])} ${answers[0][1].time_unit}`
      : "–"
    fill(
      this.sizesControls,
      select(
        "distribution of",
        [
          ["mass", "mass"],
          ["number", "number"],
        ],
        per,
        chosen => choose({per: chosen}),
      ),
      element(
        "label",
        {class: "field wide-field"},
        element("span", {}, `snapshot ${snapshot + 1} of ${last + 1}, t = ${when}`),
        slider,
      ),
    )
    const traces = []
    const shapes = []
    const all = []
    let across = []
    for (const [line, answer] of answers) {
      const densities = answer.densities[per]
      const bins = answer.s.length
      const k = Math.min(snapshot, answer.t.length - 1)
      all.push(...densities)
      across = across.concat(Array.from(answer.s, Math.log10))
      const y = Array.from({length: bins}, (_, i) => densities[k * bins + i])
      traces.push({
        type: "scatter",
        mode: "lines",
        name: plain(line.words),
        x: Array.from(answer.s, Math.log10),
        y: y.map(value => (value > 0 ? Math.log10(value) : null)),
        line: {color: line.colour, dash: line.dash, width: 2},
        customdata: y.map((value, i) => [number(answer.s[i], 4), number(value, 4)]),
        hovertemplate: "s = %{customdata[0]}<br>%{customdata[1]}<extra></extra>",
      })
      if (answer.s_blow[k] > 0) {
        const x = Math.log10(answer.s_blow[k])
        shapes.push({
          type: "line",
          x0: x,
          x1: x,
          y0: 0,
          y1: 1,
          yref: "paper",
          line: {color: line.colour, dash: "dot", width: 1.5},
        })
      }
    }
    const [low, high] = range(all.filter(value => value > 0).map(Math.log10))
    const [least, largest] = range(across)
    const answer = answers[0]?.[1]
    const layout = {
      shapes,
      showlegend: false,
      margin: {l: 60, r: 10, t: 8, b: 40},
      xaxis: {
        range: [least, largest],
        title: {text: plain(answer?.radius ?? "s")},
        ...logTicks(least, largest, 8),
      },
      yaxis: {
        range: [low - 0.2, high + 0.2],
        title: {text: plain(answer?.heads[per] ?? "")},
        ...logTicks(low, high, 7),
      },
    }
    const title = areDisks ? "Size distribution of the first ring" : "Size distribution"
    await this.sizes.draw(traces, layout, {
      title,
      remark: [...problems, "Dotted: the blow-out size."].join("; "),
      columns: () => this.sizesTable(answers, per),
    })
  }

  sizesTable(answers, per) {
    const columns = {run: [], snapshot: [], t: []}
    for (const [line, answer] of answers) {
      const bins = answer.s.length
      const densities = answer.densities[per]
      for (let k = 0; k < answer.t.length; k++) {
        for (let i = 0; i < bins; i++) {
          columns.run.push(line.run)
          columns.snapshot.push(k + 1)
          columns.t.push(answer.t[k])
          ;(columns[answer.radius] ??= []).push(answer.s[i])
          ;(columns[answer.heads[per]] ??= []).push(densities[k * bins + i])
        }
      }
    }
    return columns
  }

  async drawNumbers() {
    if (!view.runs.length) {
      this.numbers.textContent = ""
      return
    }
    const turn = ++this.turn
    try {
      const {html} = await ask("about", {runs: view.runs.join(",")})
      if (turn != this.turn) return
      // the server's templates escape every text of the store
      this.numbers.innerHTML = html
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.numbers.textContent = error.message
    }
  }
}
