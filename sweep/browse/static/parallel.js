// Parallel coordinates: a line for each case through its parameters and its result.

import {parameter} from "page/cases"
import {button, element, save} from "page/dom"
import {lineColour, theme, viridis} from "page/figure"
import {csv, drawn, logTicks, number} from "page/numbers"
import {range} from "page/grids"
import {choose, view} from "page/view"

const MAX_LINES = 5000
const MAX_AXES = 10
const TOP = 34
const BOTTOM = 14
const SIDE = 60
const NEAR = 14
const SHADES = Array.from(
  {length: 32},
  (_, k) =>
    `rgb(${viridis(k / 31)
      .map(Math.round)
      .join(",")})`,
)

/** The lines, with a brush on each axis. */
export class Parallel {
  constructor(study, pick) {
    this.study = study
    this.pick = pick
    this.canvas = element("canvas", {
      role: "img",
      tabindex: "0",
      "aria-label": "parallel coordinates",
    })
    this.note = element("p", {class: "faint"})
    const tools = element(
      "div",
      {class: "tools"},
      button("PNG", () => this.picture()),
      button("CSV", () => this.save()),
    )
    this.box = element(
      "section",
      {class: "figure", "aria-label": "parallel coordinates"},
      element("div", {class: "caption"}, element("h2", {}, "Parallel coordinates"), tools),
      element("div", {class: "lines"}, this.canvas),
      this.note,
    )
    this.order = null
    for (const [event, listener] of [
      ["pointerdown", "down"],
      ["pointermove", "moved"],
      ["pointerup", "up"],
    ]) {
      this.canvas.addEventListener(event, given => this[listener](given))
    }
    new ResizeObserver(() => this.cases && this.paint()).observe(this.canvas.parentElement)
  }

  draw(cases, chosen, isLog) {
    this.cases = cases
    this.chosen = chosen
    const names = this.study.parameters.map(each => each.name).filter(name => cases.has(name))
    const all = [...names.slice(0, MAX_AXES - 1), cases.answer.name]
    if (
      !this.order ||
      all.some(name => !this.order.includes(name)) ||
      this.order.length != all.length
    )
      this.order = all
    this.axes = new Map(this.order.map(name => [name, this.axis(name, isLog)]))
    const included = []
    for (let i = 0; i < cases.count; i++) if (cases.isIncluded(i)) included.push(i)
    this.lines = Array.from(drawn(included.length, MAX_LINES), i => included[i])
    const lacking = this.lines.filter(i => !cases.hasValue(i)).length
    const sentences = [
      `${this.lines.length} lines${included.length > this.lines.length ? `, a random sample of ${included.length}` : ""}.`,
    ]
    if (lacking) sentences.push(`${lacking} without ${cases.answer.name}: they end before it.`)
    if (names.length > MAX_AXES - 1)
      sentences.push(`Not drawn: ${names.length - MAX_AXES + 1} more parameters.`)
    sentences.push(
      "Drag along an axis to select, drag a name to move its axis, click an axis to let go, click a line to choose its case.",
    )
    this.note.textContent = sentences.join(" ")
    this.canvas.setAttribute(
      "aria-label",
      `parallel coordinates of ${this.order.join(", ")}; ${sentences[0]}`,
    )
    this.paint()
  }

  axis(name, isLog) {
    const {cases} = this
    const own = parameter(name)
    const values = own ? cases.numbers(name) : cases.answer.value
    const log = own ? own.is_log : isLog
    const codes = cases.codes(name)
    const isEven = own && !own.is_number
    const place = value => (isEven ? value : log ? (value > 0 ? Math.log10(value) : NaN) : value)
    let [low, high] = range(Array.from(values, place).filter(Number.isFinite))
    if (low == high) [low, high] = [low - 0.5, high + 0.5]
    // zeros have a place of their own below a logarithmic axis
    const hasZero = log && values.some(value => value === 0)
    const gap = hasZero ? 0.1 : 0
    const at = value =>
      hasZero && value === 0 ? 0 : gap + ((1 - gap) * (place(value) - low)) / (high - low)
    const back = height => {
      const shade = low + ((height - gap) / (1 - gap)) * (high - low)
      return log && !isEven ? (height < gap / 2 && hasZero ? 0 : 10 ** shade) : shade
    }
    const marks =
      own?.labels && own.labels.length <= 8
        ? own.labels.map((label, code) => [at(own.numbers[code] ?? code), label])
        : log
          ? logTicks(low, high, 5).tickvals.map((tick, i) => [
              gap + ((1 - gap) * (tick - low)) / (high - low),
              logTicks(low, high, 5).ticktext[i],
            ])
          : [0, 0.25, 0.5, 0.75, 1].map(height => [height, number(low + height * (high - low))])
    if (hasZero) marks.push([0, "0"])
    return {values, codes, at, back, marks, head: own ? own.head : cases.answer.head}
  }

  get x() {
    const width = this.canvas.clientWidth - 2 * SIDE
    return k => SIDE + (this.order.length > 1 ? (k * width) / (this.order.length - 1) : width / 2)
  }

  y(height) {
    return TOP + (1 - height) * (this.canvas.clientHeight - TOP - BOTTOM)
  }

  paint() {
    const {canvas, cases} = this
    const ratio = window.devicePixelRatio || 1
    canvas.width = canvas.clientWidth * ratio
    canvas.height = canvas.clientHeight * ratio
    const pen = canvas.getContext("2d")
    pen.scale(ratio, ratio)
    const colours = theme()
    const axes = this.order.map(name => this.axes.get(name))
    const result = this.axes.get(cases.answer.name)
    const path = i => {
      pen.beginPath()
      let isDown = false
      axes.forEach((axis, k) => {
        const height = axis.at(axis.values[i])
        if (!Number.isFinite(height)) {
          isDown = false
          return
        }
        if (isDown) pen.lineTo(this.x(k), this.y(height))
        else pen.moveTo(this.x(k), this.y(height))
        isDown = true
      })
      pen.stroke()
    }
    const inside = this.lines.filter(i => !this.chosen || this.chosen[i])
    pen.lineWidth = 1
    pen.globalAlpha = this.chosen ? 0.35 : 0
    pen.strokeStyle = colours.line
    if (this.chosen) this.lines.filter(i => !this.chosen[i]).forEach(path)
    pen.globalAlpha = inside.length > 1000 ? 0.25 : inside.length > 200 ? 0.5 : 0.85
    for (const i of inside) {
      const height = result.at(cases.answer.value[i])
      pen.strokeStyle = Number.isFinite(height)
        ? SHADES[Math.min(31, Math.max(0, Math.floor(32 * height)))]
        : colours.faint
      pen.setLineDash(Number.isFinite(height) ? [] : [4, 3])
      path(i)
    }
    pen.setLineDash([])
    pen.globalAlpha = 1
    pen.lineWidth = 3
    view.runs.forEach((run, k) => {
      const i = cases.indexOf(run)
      pen.strokeStyle = lineColour(this.study.colours, k)
      if (i >= 0) path(i)
    })
    pen.font = "12px system-ui, sans-serif"
    pen.lineWidth = 1
    axes.forEach((axis, k) => {
      const x = this.x(k)
      pen.strokeStyle = colours.ink
      pen.beginPath()
      pen.moveTo(x, this.y(0))
      pen.lineTo(x, this.y(1))
      pen.stroke()
      pen.textAlign = k == 0 ? "left" : k == axes.length - 1 ? "right" : "center"
      pen.fillStyle = colours.ink
      const side = k == 0 ? x - SIDE + 4 : k == axes.length - 1 ? x + SIDE - 4 : x
      pen.fillText(
        axis.head,
        side,
        16,
        k == 0 || k == axes.length - 1 ? 2.6 * SIDE : (this.x(1) - this.x(0)) * 0.96,
      )
      const isLast = k == axes.length - 1
      pen.textAlign = isLast ? "left" : "right"
      for (const [height, words] of axis.marks) {
        pen.fillStyle = colours.back
        const width = Math.min(pen.measureText(words).width, SIDE - 8)
        pen.globalAlpha = 0.75
        pen.fillRect(isLast ? x + 4 : x - 6 - width, this.y(height) - 7, width + 2, 14)
        pen.globalAlpha = 1
        pen.fillStyle = colours.faint
        pen.fillText(words, isLast ? x + 5 : x - 5, this.y(height) + 4, SIDE - 8)
      }
      const brush = view.brush[this.order[k]]
      if (brush) {
        const [low, high] = brush.map(value => Math.min(1, Math.max(0, axis.at(value))))
        pen.fillStyle = "rgba(0,114,178,0.3)"
        pen.strokeStyle = "#0072b2"
        pen.fillRect(x - 7, this.y(high) - 3, 14, this.y(low) - this.y(high) + 6)
        pen.strokeRect(x - 7, this.y(high) - 3, 14, this.y(low) - this.y(high) + 6)
      }
    })
    if (this.drag?.end != null && this.drag.kind == "brush") {
      pen.fillStyle = "rgba(0,114,178,0.3)"
      pen.fillRect(
        this.x(this.drag.axis) - 7,
        Math.min(this.drag.begin, this.drag.end),
        14,
        Math.abs(this.drag.end - this.drag.begin),
      )
    }
  }

  nearest(x) {
    let best = 0
    this.order.forEach((_, k) => {
      if (Math.abs(this.x(k) - x) < Math.abs(this.x(best) - x)) best = k
    })
    return best
  }

  down(event) {
    const axis = this.nearest(event.offsetX)
    const isNear = Math.abs(this.x(axis) - event.offsetX) < NEAR
    if (event.offsetY < TOP - 8) this.drag = {kind: "move", axis, begin: event.offsetX}
    else if (isNear) this.drag = {kind: "brush", axis, begin: event.offsetY, end: null}
    else this.drag = {kind: "line", begin: event.offsetY}
    this.canvas.setPointerCapture(event.pointerId)
  }

  moved(event) {
    if (this.drag?.kind != "brush") return
    this.drag.end = event.offsetY
    this.paint()
  }

  up(event) {
    const {drag} = this
    this.drag = null
    if (!drag) return
    if (drag.kind == "move") {
      const [name] = this.order.splice(drag.axis, 1)
      this.order.splice(this.nearestOf(event.offsetX, this.order.length + 1), 0, name)
      this.paint()
    } else if (drag.kind == "line") {
      this.chooseAt(event)
    } else {
      const name = this.order[drag.axis]
      const brush = {...view.brush}
      if (drag.end == null || Math.abs(drag.end - drag.begin) < 4) delete brush[name]
      else
        brush[name] = [Math.max(drag.begin, drag.end), Math.min(drag.begin, drag.end)].map(y =>
          this.valueAt(name, y),
        )
      choose({brush})
      this.paint()
    }
  }

  nearestOf(x, count) {
    const width = this.canvas.clientWidth - 2 * SIDE
    return Math.min(count - 1, Math.max(0, Math.round(((x - SIDE) / width) * (count - 1))))
  }

  valueAt(name, y) {
    const height = 1 - (y - TOP) / (this.canvas.clientHeight - TOP - BOTTOM)
    return this.axes.get(name).back(Math.min(1.001, Math.max(-0.001, height)))
  }

  chooseAt(event) {
    const width = (this.canvas.clientWidth - 2 * SIDE) / (this.order.length - 1)
    const place = Math.min(this.order.length - 1.001, Math.max(0, (event.offsetX - SIDE) / width))
    const left = Math.floor(place)
    const [a, b] = [this.axes.get(this.order[left]), this.axes.get(this.order[left + 1])]
    let best = -1
    let least = NEAR
    for (const i of this.lines) {
      if (this.chosen && !this.chosen[i]) continue
      const height = a.at(a.values[i]) + (place - left) * (b.at(b.values[i]) - a.at(a.values[i]))
      const distance = Math.abs(this.y(height) - event.offsetY)
      if (distance < least) [best, least] = [i, distance]
    }
    if (best >= 0) this.pick.choose([best], event.shiftKey || event.ctrlKey)
  }

  picture() {
    this.canvas.toBlob(blob => save(blob, "parallel.png"))
  }

  save() {
    const columns = {}
    for (const name of this.order) {
      const own = parameter(name)
      columns[this.axes.get(name).head] = this.lines.map(i =>
        own ? this.cases.words(name, i) : this.cases.answer.value[i],
      )
    }
    columns.run = this.lines.map(i => this.cases.answer.run[i])
    save(csv(columns), "parallel.csv", "text/csv;charset=utf-8")
  }
}
