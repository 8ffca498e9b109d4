// Grids of a map: which cases are in each cell, and how its axes are labelled.

import {parameter, placesOf} from "page/cases"
import {plain} from "page/figure"
import {number} from "page/numbers"
import {view} from "page/view"

const BINS = 12
const MAX_TICK_LETTERS = 60

/** Return the cells of a grid of the values of both parameters. */
export function codedGrid(cases, panel) {
  const x = parameter(view.x)
  const y = parameter(view.y)
  const nx = x.labels.length
  const cells = new Array(nx * y.labels.length)
  const [xs, ys] = [cases.codes(view.x), cases.codes(view.y)]
  for (const index of panel.indices) (cells[ys[index] * nx + xs[index]] ??= []).push(index)
  return {
    nx,
    ny: y.labels.length,
    cells,
    x: ticks(x.labels),
    y: ticks(y.labels, true),
    panel,
    xWords: x.labels,
    yWords: y.labels,
    xEnds: (first, last) => endsOf(x, first, last),
    yEnds: (first, last) => endsOf(y, first, last),
  }
}

/** Return the least and the largest value of a parameter from one code to another. */
function endsOf(own, first, last) {
  const from = Math.max(0, first)
  const to = Math.min(own.labels.length - 1, last)
  const places = placesOf(own)
    .slice(from, to + 1)
    .filter(Number.isFinite)
  return [Math.min(...places), Math.max(...places)]
}

/** Return the cells of a grid of intervals, for samples. */
export function binnedGrid(cases, panel, all) {
  const edges = name => {
    const values = cases.numbers(name)
    const isLog = parameter(name).is_log
    const at = value => (isLog ? Math.log10(value) : value)
    // all panels have the same intervals; a zero has no place on a logarithmic axis
    const [low, high] = range(all.map(index => at(values[index])).filter(Number.isFinite))
    const bin = value =>
      Math.min(BINS - 1, Math.max(0, Math.floor(((at(value) - low) / (high - low || 1)) * BINS)))
    const edge = k =>
      isLog ? 10 ** (low + ((high - low) * k) / BINS) : low + ((high - low) * k) / BINS
    const words = Array.from(
      {length: BINS},
      (_, k) => `${number(edge(k))} to ${number(edge(k + 1))}`,
    )
    const shown = Array.from({length: BINS + 1}, (_, k) => k).filter(k => k % 3 == 0)
    return {
      values,
      bin,
      words,
      ends: (first, last) => [edge(first), edge(last + 1)],
      ticks: {tickvals: shown.map(k => k - 0.5), ticktext: shown.map(k => number(edge(k)))},
    }
  }
  const [x, y] = [edges(view.x), edges(view.y)]
  const cells = new Array(BINS * BINS)
  for (const index of panel.indices) {
    if (cases.isIncluded(index))
      (cells[y.bin(y.values[index]) * BINS + x.bin(x.values[index])] ??= []).push(index)
  }
  return {
    nx: BINS,
    ny: BINS,
    cells,
    x: x.ticks,
    y: y.ticks,
    panel,
    xWords: x.words,
    yWords: y.words,
    xEnds: x.ends,
    yEnds: y.ends,
  }
}

/** Return the ticks of an axis of labels, fewer where they are crowded. */
export function ticks(labels, isUpright = false) {
  const letters = labels.reduce((sum, label) => sum + String(label).length + 2, 0)
  const most = isUpright
    ? 16
    : Math.max(2, Math.floor((labels.length * MAX_TICK_LETTERS) / Math.max(letters, 1)))
  const step = Math.max(1, Math.ceil(labels.length / most))
  const shown = labels.map((_, i) => i).filter(i => i % step == 0)
  const cut = label =>
    String(label).length > 22 ? `${String(label).slice(0, 21)}…` : String(label)
  return {tickvals: shown, ticktext: shown.map(i => plain(cut(labels[i])))}
}

/** Return the least and the largest of numbers. */
export function range(values) {
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    if (value < low) low = value
    if (value > high) high = value
  }
  return low > high ? [0, 1] : [low, high]
}
