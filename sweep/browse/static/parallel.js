// Parallel coordinates: a line for each case through its parameters and its result.

import {parameter} from "page/cases"
import {button, element, save} from "page/dom"
import {lineColour, theme, viridis} from "page/figure"
import {csv, drawn} from "page/numbers"
import {Axis} from "page/parallel_axis"
import {choose, view} from "page/view"

const MAX_LINES = 5000
const MAX_AXES = 10
const TOP = 34
const BOTTOM = 14
const SIDE = 60
const NEAR = 14
const EDGE = 5
const MIN_BRUSH = 4
const SHADES = Array.from(
  {length: 32},
  (_, k) =>
    `rgb(${viridis(k / 31)
      .map(Math.round)
      .join(",")})`,
)

const clamp = (value, low, high) => Math.min(high, Math.max(low, value))

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
    this.drag = null
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
    if (!this.order || [...all].sort().join() != [...this.order].sort().join()) this.order = all
    this.axes = new Map(all.map(name => [name, new Axis(cases, name, isLog)]))
    const included = []
    for (let i = 0; i < cases.count; i++) if (cases.isIncluded(i)) included.push(i)
    this.lines = Array.from(drawn(included.length, MAX_LINES), i => included[i])
    const hidden = names.length - MAX_AXES + 1
    this.describe(included.length, hidden)
    this.paint()
  }

  describe(count, hidden) {
    const {cases, lines} = this
    const isSample = count > lines.length
    const lacking = lines.filter(i => !cases.hasValue(i)).length
    const sentences = [`${lines.length} lines${isSample ? `, a random sample of ${count}` : ""}.`]
    if (lacking) sentences.push(`${lacking} without ${cases.answer.name}: they end before it.`)
    if (hidden > 0) sentences.push(`Not drawn: ${hidden} more parameters.`)
    sentences.push(
      "Drag along an axis to select, drag a selection or its ends to move them, drag a name to",
      "move its axis, click an axis to let go, click a line to choose its case.",
    )
    this.note.textContent = sentences.join(" ")
    const words = `parallel coordinates of ${this.order.join(", ")}; ${sentences[0]}`
    this.canvas.setAttribute("aria-label", words)
  }

  /** Return the axes from left to right. */
  get row() {
    return this.order.map(name => this.axes.get(name))
  }

  paint() {
    const {canvas} = this
    const ratio = window.devicePixelRatio || 1
    this.width = canvas.clientWidth
    this.height = canvas.clientHeight
    canvas.width = this.width * ratio
    canvas.height = this.height * ratio
    const pen = canvas.getContext("2d")
    pen.scale(ratio, ratio)
    const colours = theme()
    this.paintLines(pen, colours)
    this.row.forEach((axis, k) => {
      this.paintAxis(pen, colours, axis, k)
      this.paintBrush(pen, axis, k)
    })
  }

  x(k) {
    const width = this.width - 2 * SIDE
    const gaps = this.order.length - 1
    return SIDE + (gaps ? (k * width) / gaps : width / 2)
  }

  y(height) {
    return TOP + (1 - height) * (this.height - TOP - BOTTOM)
  }

  paintLines(pen, colours) {
    const {cases, chosen} = this
    const inside = chosen ? this.lines.filter(i => chosen[i]) : this.lines
    const outside = chosen ? this.lines.filter(i => !chosen[i]) : []
    const result = this.axes.get(cases.answer.name)
    const row = this.row.map((axis, k) => [this.x(k), axis])
    const path = i => this.path(pen, row, i)
    pen.lineWidth = 1
    pen.globalAlpha = 0.35
    pen.strokeStyle = colours.line
    outside.forEach(path)
    pen.globalAlpha = inside.length > 1000 ? 0.25 : inside.length > 200 ? 0.5 : 0.85
    for (const i of inside) {
      const height = result.height(i)
      const isKnown = Number.isFinite(height)
      pen.strokeStyle = isKnown ? SHADES[clamp(Math.floor(32 * height), 0, 31)] : colours.faint
      pen.setLineDash(isKnown ? [] : [4, 3])
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
  }

  /** Draw the line of a case, with a gap where it has no value. */
  path(pen, row, i) {
    pen.beginPath()
    let isDown = false
    for (const [x, axis] of row) {
      const height = axis.height(i)
      if (!Number.isFinite(height)) isDown = false
      else {
        if (isDown) pen.lineTo(x, this.y(height))
        else pen.moveTo(x, this.y(height))
        isDown = true
      }
    }
    pen.stroke()
  }

  paintAxis(pen, colours, axis, k) {
    const x = this.x(k)
    const isFirst = k == 0
    const isLast = k == this.order.length - 1
    pen.lineWidth = 1
    pen.strokeStyle = colours.ink
    pen.beginPath()
    pen.moveTo(x, this.y(0))
    pen.lineTo(x, this.y(1))
    pen.stroke()
    pen.font = "12px system-ui, sans-serif"
    pen.fillStyle = colours.ink
    pen.textAlign = isFirst ? "left" : isLast ? "right" : "center"
    const side = isFirst ? x - SIDE + 4 : isLast ? x + SIDE - 4 : x
    const room = isFirst || isLast ? 2.6 * SIDE : (this.x(1) - this.x(0)) * 0.96
    pen.fillText(axis.head, side, 16, room)
    pen.textAlign = isLast ? "left" : "right"
    for (const [height, words] of axis.marks) {
      const y = this.y(height)
      const width = Math.min(pen.measureText(words).width, SIDE - 8)
      pen.fillStyle = colours.back
      pen.globalAlpha = 0.75
      pen.fillRect(isLast ? x + 4 : x - 6 - width, y - 7, width + 2, 14)
      pen.globalAlpha = 1
      pen.fillStyle = colours.faint
      pen.fillText(words, isLast ? x + 5 : x - 5, y + 4, SIDE - 8)
    }
  }

  paintBrush(pen, axis, k) {
    const ends = this.drag?.axis == k ? this.drag.ends : this.brushed(axis)
    if (!ends) return
    const [top, bottom] = ends
    pen.lineWidth = 1
    pen.fillStyle = "rgba(0,114,178,0.3)"
    pen.strokeStyle = "#0072b2"
    pen.fillRect(this.x(k) - 7, top, 14, bottom - top)
    pen.strokeRect(this.x(k) - 7, top, 14, bottom - top)
  }

  /** Return the upper and the lower end of the brush of an axis on the screen, or nothing. */
  brushed(axis) {
    const brush = view.brush[axis.name]
    if (!brush) return null
    const factor = this.cases.factorOf(axis.name)
    const [low, high] = brush.map(value => clamp(axis.at(value / factor), 0, 1))
    return [this.y(high) - 3, this.y(low) + 3]
  }

  nearest(x) {
    const distances = this.order.map((_, k) => Math.abs(this.x(k) - x))
    return distances.indexOf(Math.min(...distances))
  }

  down(event) {
    const k = this.nearest(event.offsetX)
    const isNear = Math.abs(this.x(k) - event.offsetX) < NEAR
    if (event.offsetY < TOP - 8) this.drag = {kind: "axis", k, ends: null}
    else if (isNear) this.drag = this.grasped(k, event.offsetY)
    else this.drag = {kind: "line", ends: null}
    this.canvas.setPointerCapture(event.pointerId)
  }

  /** Return what is dragged from a place on an axis: its brush, an end of it, or a new one. */
  grasped(k, y) {
    const [top, bottom] = this.brushed(this.row[k]) ?? [NaN, NaN]
    const drag = {axis: k, begin: y, ends: null}
    if (Math.abs(y - top) <= EDGE) return {...drag, kind: "brush", fixed: bottom}
    if (Math.abs(y - bottom) <= EDGE) return {...drag, kind: "brush", fixed: top}
    if (y > top && y < bottom) return {...drag, kind: "slide", from: [top, bottom]}
    return {...drag, kind: "brush", fixed: y}
  }

  moved(event) {
    const {drag} = this
    if (drag?.kind == "brush") {
      drag.ends = [drag.fixed, event.offsetY].sort((a, b) => a - b)
    } else if (drag?.kind == "slide") {
      drag.ends = drag.from.map(end => end + event.offsetY - drag.begin)
    } else return
    this.paint()
  }

  up(event) {
    const {drag} = this
    this.drag = null
    if (drag?.kind == "axis") this.moveAxis(drag.k, event.offsetX)
    else if (drag?.kind == "line") this.chooseAt(event)
    else if (drag) this.brush(this.row[drag.axis], drag.ends)
  }

  moveAxis(k, x) {
    const [name] = this.order.splice(k, 1)
    const last = this.order.length
    const place = ((x - SIDE) / (this.width - 2 * SIDE)) * last
    this.order.splice(clamp(Math.round(place), 0, last), 0, name)
    this.paint()
  }

  /** Select between two ends on the screen; without them, let go. */
  brush(axis, ends) {
    const brush = {...view.brush}
    if (!ends || ends[1] - ends[0] < MIN_BRUSH) delete brush[axis.name]
    else {
      const values = [ends[1], ends[0]].map(y => axis.back(this.heightAt(y)))
      brush[axis.name] = this.cases.stored(axis.name, values)
    }
    choose({brush})
    this.paint()
  }

  heightAt(y) {
    const height = 1 - (y - TOP) / (this.height - TOP - BOTTOM)
    // the outermost values are inside, whatever their last bits are
    return clamp(height, -0.001, 1.001)
  }

  chooseAt(event) {
    const last = this.order.length - 1
    const place = (last * (event.offsetX - SIDE)) / (this.width - 2 * SIDE)
    const left = clamp(Math.floor(place), 0, Math.max(0, last - 1))
    const [a, b] = [this.row[left], this.row[Math.min(left + 1, last)]]
    let best = -1
    let least = NEAR
    for (const i of this.lines) {
      if (this.chosen && !this.chosen[i]) continue
      const height = a.height(i) + (place - left) * (b.height(i) - a.height(i))
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
        own ? this.cases.written(name, i) : this.cases.answer.value[i],
      )
    }
    columns.run = this.lines.map(i => this.cases.answer.run[i])
    save(csv(columns), "parallel.csv", "text/csv;charset=utf-8")
  }
}
