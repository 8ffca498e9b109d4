// What matters: how much each parameter changes the result, the strongest first.

import {ask, Refusal} from "page/ask"
import {parameter} from "page/cases"
import {button, element, fill, save} from "page/dom"
import {csv, number} from "page/numbers"
import {choose, view} from "page/view"

/** The list of parameters with a bar for each. */
export class Effects {
  constructor(study) {
    this.study = study
    this.list = element("div", {class: "bars"})
    this.sentence = element("p", {class: "sentence"})
    this.remark = element("p", {class: "faint"})
    const tools = element(
      "div",
      {class: "tools"},
      button("CSV", () => this.save(), {title: "save what matters as CSV"}),
    )
    this.box = element(
      "section",
      {class: "figure effects", "aria-label": "what matters"},
      element("div", {class: "caption"}, element("h2", {}, "What matters"), tools),
      this.sentence,
      this.list,
      this.remark,
    )
    this.turn = 0
  }

  async draw() {
    const turn = ++this.turn
    if (!this.answer) this.remark.textContent = "comparing …"
    let answer
    try {
      const rings = view.rings == "single" ? "single" : ""
      answer = await ask("matters", {name: view.name, where: view.where, rings})
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (turn != this.turn) return
      this.answer = null
      this.sentence.textContent = ""
      this.remark.textContent = error.message
      fill(this.list)
      return
    }
    if (turn != this.turn) return
    this.answer = answer
    this.sentence.textContent = answer.sentence
    const isEffect = answer.kind == "effect"
    const means = `Bars: ${answer.meaning}${isEffect ? `, ${answer.head}` : " (with its 95 % interval)"}.`
    this.remark.textContent = [
      means,
      ...answer.remarks.map(line => `${line}.`),
      "▦: on the map; a click puts a parameter there.",
    ].join(" ")
    const at = this.scale(answer)
    fill(this.list, ...answer.bars.map(bar => this.row(bar, at, isEffect)))
  }

  scale(answer) {
    const ends = answer.bars
      .flatMap(bar => [bar.low, bar.high, bar.middle])
      .filter(value => value != null)
    const shown = answer.is_log
      ? ends.filter(value => value > 0).map(Math.log10)
      : [...ends, ...(answer.kind == "effect" ? [] : [0])]
    const low = Math.min(...shown)
    const high = Math.max(...shown)
    return value => {
      if (value == null) return null
      const place = answer.is_log ? (value > 0 ? Math.log10(value) : low) : value
      return high > low ? (100 * (place - low)) / (high - low) : 0
    }
  }

  row(bar, at, isEffect) {
    const own = this.named(bar.name)
    const begin = at(isEffect ? bar.low : 0) ?? 0
    const end = isEffect ? (at(bar.high) ?? 0) : (at(bar.middle) ?? 0)
    const track = element("span", {class: "track", "aria-hidden": "true"})
    track.append(
      element("span", {
        class: "range",
        style: `left:${begin}%;width:${Math.max(end - begin, 0.6)}%`,
      }),
    )
    if (!isEffect)
      track.append(
        element("span", {
          class: "interval",
          style: `left:${at(bar.low)}%;width:${Math.max(at(bar.high) - at(bar.low), 0.3)}%`,
        }),
      )
    if (isEffect && bar.middle != null)
      track.append(element("span", {class: "middle", style: `left:${at(bar.middle)}%`}))
    const words = bar.words.startsWith(bar.name)
      ? bar.words.slice(bar.name.length).trim()
      : bar.words
    const ends = isEffect && bar.low != null ? ` (${number(bar.low)} to ${number(bar.high)})` : ""
    const isShown = [view.x, view.y, view.over].includes(own?.name)
    return element(
      "button",
      {
        type: "button",
        class: "bar-row",
        "aria-pressed": String(isShown),
        disabled: !own,
        title: own?.meaning ?? "",
        click: () => this.put(own.name),
      },
      element("span", {class: "name"}, bar.name),
      track,
      element("span", {class: "size"}, words, element("span", {class: "faint"}, ends)),
    )
  }

  named(name) {
    const first = name.split(" with ")[0]
    return parameter(first) ?? this.study.parameters.find(each => each.key == first)
  }

  /** Put a parameter on the map: across, and what was there upwards. */
  put(name) {
    if (view.x == name) return
    const y = view.y == name || view.y == "value" ? view.x : view.y
    choose({
      x: name,
      y: view.y == name ? view.x : y,
      over: view.over == name ? "" : view.over,
      tab: "overview",
    })
  }

  save() {
    const {answer} = this
    if (!answer) return
    const of = key => answer.bars.map(bar => bar[key] ?? NaN)
    const columns = {
      parameter: answer.bars.map(bar => bar.name),
      [`lowest ${answer.head}`]: of("low"),
      [`highest ${answer.head}`]: of("high"),
      [`middle ${answer.head}`]: of("middle"),
      words: answer.bars.map(bar => bar.words),
    }
    save(csv(columns), "what-matters.csv", "text/csv;charset=utf-8")
  }
}
