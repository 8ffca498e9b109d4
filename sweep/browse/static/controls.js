// What a person chooses above the figures: result, axes, scales, filter, selection, and links.

import {ask, isSaved} from "page/ask"
import {condition, headOf, result} from "page/cases"
import {button, element, fill, say, select, showProblem} from "page/dom"
import {fixedControls} from "page/map"
import {VALUE} from "page/map_input"
import {choose, view} from "page/view"

const COPIED_MILLISECONDS = 2000

/** Fill the row of controls for the view that is open. */
export function drawControls(study, place, state, fit) {
  const {cases, map, chosen, group} = state
  const named = list => list.map(each => [each.name, headOf(each.name), each.meaning])
  const parts = []
  if (view.tab != "trust") {
    const filter = element("input", {
      type: "search",
      id: "filter",
      value: unfinished(place) ?? view.where,
      "data-drawn": view.where,
      placeholder: "T0 > 3500 and status == 'done'",
      disabled: isSaved,
      spellcheck: "false",
      title: isSaved
        ? "this file cannot filter; sweep browse STORE can"
        : "a condition on parameters and results, in the units of the store",
      change: event => choose({where: event.target.value.trim()}),
    })
    parts.push(
      element("label", {class: "field filter"}, element("span", {}, "only runs where"), filter),
    )
  }
  const isMap = view.tab == "overview" || view.tab == "compare"
  if (isMap || view.tab == "parallel") {
    parts.push(select("result", named(study.results), view.name, name => choose({name})))
  }
  if (isMap) {
    const own = named(study.parameters)
    const results = named(study.results)
    parts.push(
      select("across", [...own, ...results], view.x, x =>
        choose({x, y: x == view.y ? view.x : view.y, over: x == view.over ? "" : view.over}),
      ),
      select("upwards", [...own, [VALUE, "the result itself"], ...results], view.y, y =>
        choose({y, x: y == view.x ? view.y : view.x, over: y == view.over ? "" : view.over}),
      ),
    )
    const few = study.parameters.filter(
      each => each.labels && each.labels.length <= 6 && ![view.x, view.y].includes(each.name),
    )
    if (few.length)
      parts.push(select("panels", [["", "one"], ...named(few)], view.over, over => choose({over})))
    if (map && cases) parts.push(...fixedControls(map, cases, fixed => choose({fixed})))
    if (study.kind == "points")
      parts.push(
        select(
          "drawn as",
          [
            ["points", "points"],
            ["medians", "medians of cells"],
          ],
          view.form,
          form => choose({form}),
        ),
      )
    if (study.rings)
      parts.push(
        select(
          "cases are",
          [
            ["", "whole disks"],
            ["single", "single rings"],
          ],
          view.rings,
          rings => choose({rings, runs: []}),
        ),
      )
    parts.push(
      select(
        "colours",
        [
          ["auto", "automatic"],
          ["linear", "linear"],
          ["log", "logarithmic"],
        ],
        view.scale,
        scale => choose({scale}),
      ),
      select(
        "time",
        [
          ["auto", "automatic"],
          ["linear", "linear"],
          ["log", "logarithmic"],
        ],
        view.time,
        time => choose({time}),
      ),
    )
  }
  const selection = element("span", {class: "selection"})
  if (view.tab != "trust" && (chosen || group)) {
    const names = Object.keys(view.brush).join(", ")
    // a condition is on runs, and says nothing of the sum over the rings of a disk
    const isOfSum = Boolean(cases?.answer.rings) && cases.answer.name in view.brush
    selection.append(
      element("span", {}, group ? `selected: ${state.groupWords}` : `selected by ${names}`),
      ...(isSaved || group || isOfSum || view.tab == "compare"
        ? []
        : [
            button("keep", () => keep(condition(view.brush, cases)), {
              title: "make the selection the filter",
            }),
            button("exclude", () => keep(`not (${condition(view.brush, cases)})`), {
              title: "filter the selection out",
            }),
          ]),
      button("clear", () => choose({brush: {}, group: ""}), {title: "select nothing (Escape)"}),
    )
  }
  if (view.where && isMap)
    selection.append(
      button("fit", () => fit(), {title: "let axes and colours span what the filter leaves"}),
    )
  if (view.where && view.tab != "trust")
    selection.append(button("restore all", () => choose({where: ""}), {title: "remove the filter"}))
  parts.push(selection, element("span", {class: "copies"}, ...copies()))
  const isWriting = document.activeElement?.id == "filter"
  fill(place, ...parts)
  if (isWriting) document.getElementById("filter")?.focus()
}

/** Return the condition that a person is writing while the page is drawn anew, or nothing. */
function unfinished(place) {
  const filter = place.querySelector("#filter")
  const isWriting = filter && filter == document.activeElement
  return isWriting && filter.value.trim() != filter.dataset.drawn ? filter.value : null
}

function keep(words) {
  choose({where: view.where ? `(${view.where}) and ${words}` : words, brush: {}})
}

function copies() {
  const whole = [
    element("span", {class: "faint"}, "copy"),
    button("link", () => copy(location.href, "link"), {title: "a link to what is seen now"}),
  ]
  // what a command could not draw alike has none
  const isSimple = view.rings != "single" && !result(view.x) && !result(view.y)
  if (isSaved || !isSimple) return whole
  const query = () => ({
    name: view.name,
    x: view.x,
    y: view.y == VALUE ? "" : view.y,
    over: view.over,
    where: view.where,
  })
  return [
    ...whole,
    button("sweep plot", () => copyCommand("plot", query())),
    button("Python", () => copyCommand("python", query())),
  ]
}

async function copyCommand(kind, query) {
  try {
    const commands = await ask("commands", query)
    await copy(commands[kind], kind == "plot" ? "command" : "Python")
  } catch (error) {
    showProblem(error.message)
  }
}

async function copy(words, kind) {
  try {
    await navigator.clipboard.writeText(words)
    say(`${kind} copied`)
    const copied = element("b", {}, `${kind} copied`)
    document.querySelector(".copies")?.prepend(copied)
    setTimeout(() => copied.remove(), COPIED_MILLISECONDS)
    showProblem("")
  } catch {
    // without the right to the clipboard, people copy it themselves
    showProblem(words)
  }
}
