// What a person does on the map: point, click, drag a box, and walk over cells with the keys.

import {say} from "page/dom"
import {choose, view} from "page/view"

const MAX_CLICK_PIXELS = 4
const MAX_POINT_PIXELS = 14
/** Stands for the result itself on the vertical axis. */
export const VALUE = "value"

/** Pointer and keys over a map. */
export class MapInput {
  /**
   * @param {Map2d} map
   * @param {{choose: Function, hover: Function}} pick - what is done with cases
   */
  constructor(map, pick) {
    this.map = map
    this.pick = pick
    const {figure} = map
    figure.place.tabIndex = 0
    figure.place.addEventListener("keydown", event => this.pressed(event))
    figure.place.addEventListener("pointerdown", event => this.pressedAt(event), {capture: true})
    window.addEventListener("pointerup", event => this.released(event), {capture: true})
    figure.on("plotly_hover", event => pick.hover(this.under(event)))
    figure.on("plotly_unhover", () => pick.hover(null))
    figure.on("plotly_selected", event => this.brushed(event))
  }

  /** Return the cases under an event of Plotly. */
  under(event) {
    const point = event.points[0]
    if (this.map.isPoints) return point.customdata ? [point.customdata[0]] : null
    const k = Number((point.fullData?.xaxis ?? point.data.xaxis ?? "x").slice(1) || "1") - 1
    const grid = this.map.grids[k]
    return grid?.cells[Math.round(point.y) * grid.nx + Math.round(point.x)] ?? null
  }

  pressedAt(event) {
    this.press = [event.clientX, event.clientY]
  }

  /** Choose what was clicked. Plotly tells of no click with Shift, by which it adds selections. */
  released(event) {
    const {press} = this
    this.press = null
    if (!press || Math.hypot(event.clientX - press[0], event.clientY - press[1]) > MAX_CLICK_PIXELS)
      return
    const cell = this.at(event)
    if (!cell) return
    this.map.cursor = null
    this.pick.choose(cell, event.shiftKey || event.ctrlKey)
  }

  /** Return the cases at a place of the screen. */
  at(event) {
    const layout = this.map.figure.place._fullLayout
    const box = this.map.figure.place.getBoundingClientRect()
    for (let k = 0; k < this.map.panels.length; k++) {
      const suffix = k ? String(k + 1) : ""
      const [across, upwards] = [layout[`xaxis${suffix}`], layout[`yaxis${suffix}`]]
      const x = event.clientX - box.x - across._offset
      const y = event.clientY - box.y - upwards._offset
      if (x < 0 || y < 0 || x > across._length || y > upwards._length) continue
      if (!this.map.isPoints) {
        const grid = this.map.grids[k]
        return grid.cells[Math.round(upwards.p2l(y)) * grid.nx + Math.round(across.p2l(x))] ?? null
      }
      let [best, least] = [null, MAX_POINT_PIXELS]
      const spots = this.map.spots[k]
      for (const index of spots.order) {
        const distance = Math.hypot(
          across.l2p(spots.across.at(index)) - x,
          upwards.l2p(spots.height(index)) - y,
        )
        if (distance < least) [best, least] = [index, distance]
      }
      return best == null ? null : [best]
    }
    return null
  }

  /** Select what is within a box. */
  brushed(event) {
    const box = event?.range
    if (!box) return
    const suffix = Object.keys(box)[0].slice(1)
    const {map} = this
    const brush = {...view.brush}
    for (const [way, name] of [
      ["x", view.x],
      ["y", view.y],
    ]) {
      const [a, b] = box[`${way}${suffix}`]
      const [low, high] = [Math.min(a, b), Math.max(a, b)]
      const own = name == VALUE ? map.cases.answer.name : name
      if (map.isPoints) {
        const isLog = own == map.cases.answer.name ? map.isLog : map.column(own).isLog
        const ends = isLog ? [10 ** low, 10 ** high] : [low, high]
        brush[own] = map.cases.stored(own, ends)
      } else {
        const ends = map.grids[Number(suffix || "1") - 1][`${way}Ends`]
        brush[own] = ends(Math.ceil(low - 0.5), Math.floor(high + 0.5))
      }
    }
    choose({brush})
  }

  pressed(event) {
    const steps = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}
    if (event.key == "Enter" || event.key == " ") {
      if (this.map.cursor != null) this.pick.choose([this.map.cursor], event.shiftKey)
      event.preventDefault()
      return
    }
    if (!(event.key in steps)) return
    event.preventDefault()
    const from = this.map.cursor ?? this.map.cases.indexOf(view.runs[0])
    this.map.cursor = this.map.isPoints
      ? this.nextPoint(from, steps[event.key])
      : this.nextCell(from, steps[event.key])
    this.pick.hover([this.map.cursor])
    say(this.map.hintOf(this.map.cursor).replaceAll("<br>", ", "))
    window.Plotly.relayout(this.map.figure.place, {shapes: this.map.outlines()})
  }

  nextCell(from, [di, dj]) {
    const grid =
      this.map.grids.find(each => each.cells.some(cell => cell?.includes(from))) ??
      this.map.grids[0]
    let place = grid.cells.findIndex(cell => cell?.includes(from))
    if (place < 0) place = grid.cells.findIndex(Boolean)
    const i = Math.min(grid.nx - 1, Math.max(0, (place % grid.nx) + di))
    const j = Math.min(grid.ny - 1, Math.max(0, Math.floor(place / grid.nx) + dj))
    return (grid.cells[j * grid.nx + i] ?? grid.cells[place])[0]
  }

  nextPoint(from, [di, dj]) {
    const spots = this.map.spots.find(each => each.indices.has(from)) ?? this.map.spots[0]
    const order = [...spots.order].sort((a, b) =>
      di ? spots.across.at(a) - spots.across.at(b) : spots.height(a) - spots.height(b),
    )
    const place = Math.max(0, order.indexOf(from))
    return order[Math.min(order.length - 1, Math.max(0, place + (di || dj)))]
  }
}
