// The distribution of the result over the cases, with its quantiles.

import {Figure, plain, theme} from "page/figure"
import {range} from "page/grids"
import {counted, logTicks, number, quantile} from "page/numbers"
import {held} from "page/spans"
import {choose, view} from "page/view"

const MAX_BINS = 60
const QUANTILES = [0.05, 0.5, 0.95]

/** The histogram. */
export class Histogram {
  constructor(study, caption) {
    this.figure = new Figure("distribution", caption)
    this.figure.on("plotly_selected", event => this.brushed(event))
  }

  async draw(cases, chosen, isLog) {
    this.isLog = isLog
    this.cases = cases
    const places = []
    const inside = []
    const values = []
    for (let i = 0; i < cases.count; i++) {
      const value = cases.answer.value[i]
      const place = isLog ? (value > 0 ? Math.log10(value) : NaN) : value
      if (!cases.isIncluded(i) || !Number.isFinite(place)) continue
      places.push(place)
      values.push(value)
      inside.push(!chosen || chosen[i])
    }
    const sorted = Float64Array.from(values).sort()
    const ends = range(places)
    const [low, high] = places.length
      ? held(`distribution of ${cases.answer.head}, ${isLog}`, ...ends)
      : ends
    const bins = Math.min(MAX_BINS, Math.max(8, Math.ceil(2 * Math.sqrt(places.length))))
    const width = (high - low) / bins || 1
    const all = new Array(bins).fill(0)
    const own = new Array(bins).fill(0)
    places.forEach((place, i) => {
      const bin = Math.min(bins - 1, Math.floor((place - low) / width))
      all[bin]++
      if (inside[i]) own[bin]++
    })
    const centres = all.map((_, bin) => low + (bin + 0.5) * width)
    const shared = {type: "bar", x: centres, width, hoverinfo: "skip"}
    const edge = place => number(isLog ? 10 ** place : place)
    const hints = centres.map(
      (centre, bin) =>
        `${edge(centre - width / 2)} to ${edge(centre + width / 2)}: ${counted(own[bin], "case")}`,
    )
    const traces = [
      {...shared, y: all, marker: {color: theme().line}},
      {
        ...shared,
        y: own,
        marker: {color: "#0072b2"},
        hoverinfo: "text",
        text: hints,
        textposition: "none",
      },
    ]
    const marks = QUANTILES.map(fraction => quantile(sorted, fraction))
    const shapes = marks.filter(Number.isFinite).map((value, k) => ({
      type: "line",
      x0: isLog ? Math.log10(value) : value,
      x1: isLog ? Math.log10(value) : value,
      y0: 0,
      y1: 1,
      yref: "paper",
      line: {color: theme().ink, width: k == 1 ? 2 : 1, dash: k == 1 ? "solid" : "dot"},
    }))
    const ticks = places.length && isLog ? logTicks(low, high, 8) : {nticks: 8}
    const layout = {
      barmode: "overlay",
      bargap: 0,
      showlegend: false,
      dragmode: "select",
      selectdirection: "h",
      margin: {l: 44, r: 12, t: 4, b: 34},
      shapes,
      xaxis: {
        range: places.length ? [low - width / 2, high + width / 2] : [0, 1],
        title: {text: plain(cases.answer.head)},
        ...ticks,
      },
      yaxis: {nticks: 3, rangemode: "tozero"},
    }
    const words = QUANTILES.map((fraction, k) => `${100 * fraction} %: ${number(marks[k])}`).join(
      ", ",
    )
    const left = cases.count - places.length
    const remark = `Quantiles ${words}, of ${counted(places.length, "case")}${left ? `; ${left} without a place here` : ""}. Drag over it to select.`
    await this.figure.draw(traces, layout, {
      title: `Distribution of ${cases.answer.head}`,
      remark,
      words: `distribution of ${cases.answer.head}; ${remark}`,
      columns: () => ({[cases.answer.head]: values}),
    })
  }

  brushed(event) {
    const span = event?.range?.x
    if (!span) return
    const [low, high] = [Math.min(...span), Math.max(...span)]
    const {cases} = this
    const ends = this.isLog ? [10 ** low, 10 ** high] : [low, high]
    choose({brush: {...view.brush, [cases.answer.name]: cases.stored(cases.answer.name, ends)}})
  }
}
