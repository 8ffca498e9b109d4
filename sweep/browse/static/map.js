// The map: a result over two parameters, as cells of a grid, medians of cells, or points.

import {Refusal} from "page/ask"
import {Cases, DONE, EARLY, FAILED, headOf, parameter, result, unitOf, ZERO} from "page/cases"
import {element} from "page/dom"
import {Figure, inkOn, lineColour, plain, theme, viridis} from "page/figure"
import {binnedGrid, codedGrid, range, ticks} from "page/grids"
import {MapInput, VALUE} from "page/map_input"
import {counted, drawn, logTicks, number, quantile} from "page/numbers"
import {held} from "page/spans"
import {view} from "page/view"

const MAX_POINTS = 3000
const MAX_CELLS_WRITTEN = 59
const MIN_CELL_WIDTH = 28
const MAX_CELLS_HINTED = 20000
const MAX_CODES = 400
const MAX_CELLS_PER_CASE = 20
const COLUMNS = 2

/** The map with what it draws. */
export class Map2d {
  constructor(study, caption, pick) {
    this.study = study
    this.figure = new Figure("map", caption)
    this.input = new MapInput(this, pick)
    this.cursor = null
    this.panels = []
    // states that are marked, by their numbers
    this.markOf = new Map(study.states.filter(each => each.mark).map(each => [each.code, each]))
  }

  /** Draw the cases; `chosen` says which of them are within the brush. */
  async draw(cases, chosen) {
    this.cases = cases
    this.values = cases.answer.value
    this.isLog = view.scale == "auto" ? cases.answer.is_log : view.scale == "log"
    this.panels = this.panelsOf(cases)
    const form = this.form(cases)
    this.isPoints = form == "points"
    this.grids = []
    this.spots = []
    this.leftOut = 0
    const traces = []
    const layout = {
      margin: {l: 50, r: 8, t: 8, b: 44},
      dragmode: "select",
      selectdirection: "any",
      showlegend: true,
    }
    layout.legend = {
      orientation: "h",
      y: 0,
      yref: "container",
      yanchor: "bottom",
      x: 0,
      font: {size: 11},
    }
    const shades = this.shades(cases)
    layout.coloraxis = shades.axis
    const columns = Math.min(COLUMNS, this.panels.length)
    const rows = Math.ceil(this.panels.length / columns)
    this.panels.forEach((panel, k) => {
      const suffix = k ? String(k + 1) : ""
      const column = k % columns
      const row = Math.floor(k / columns)
      const gap = 0.06
      const x = [
        column / columns + (column ? gap / 2 : 0),
        (column + 1) / columns - (column < columns - 1 ? gap / 2 : 0),
      ]
      const y = [
        1 - (row + 1) / rows + (row < rows - 1 ? 0.09 : 0),
        1 - row / rows - (panel.words ? 0.06 : 0),
      ]
      const draw = form == "points" ? this.points : this.cells
      const content = draw.call(this, panel, shades, chosen, suffix)
      traces.push(...content.traces)
      layout[`xaxis${suffix}`] = {
        ...content.x,
        domain: x,
        anchor: `y${suffix}`,
        title: {text: row == rows - 1 ? plain(content.across) : ""},
      }
      layout[`yaxis${suffix}`] = {
        ...content.y,
        showticklabels: column == 0,
        domain: y,
        anchor: `x${suffix}`,
        title: {text: column == 0 ? plain(content.upwards) : ""},
      }
      if (panel.words) {
        layout.annotations = [
          ...(layout.annotations ?? []),
          {
            text: plain(panel.words),
            x: x[0],
            y: y[1],
            xref: "paper",
            yref: "paper",
            xanchor: "left",
            yanchor: "bottom",
            showarrow: false,
          },
        ]
      }
    })
    layout.shapes = this.outlines()
    joinLegends(traces)
    if (traces.some(trace => trace.showlegend)) layout.margin.b = 66
    this.chosen = chosen
    this.shown = {traces, layout}
    const about = this.about(cases, form, chosen)
    await this.figure.draw(traces, layout, about)
  }

  /** Return the cases of each panel. */
  panelsOf(cases) {
    const fixed = this.fixed(cases)
    const of = code => {
      const indices = []
      for (let i = 0; i < cases.count; i++) {
        if (code != null && cases.codes(view.over)[i] != code) continue
        if (fixed.every(([name, value]) => cases.codes(name)[i] == value)) indices.push(i)
      }
      return indices
    }
    if (!view.over || !cases.codes(view.over) || [view.x, view.y].includes(view.over))
      return [{words: "", indices: of(null)}]
    const {labels} = parameter(view.over)
    return labels.map((label, code) => ({
      words: `${view.over} = ${label}${unitOf(view.over)}`,
      code,
      indices: of(code),
    }))
  }

  /** Return the axes that the map does not show, with the code at which each is fixed. */
  fixed(cases) {
    return this.others(cases)
      .map(name => [name, view.fixed[name] ?? this.usual(name)])
      .filter(([, code]) => code != "all")
  }

  /** Return the axes that the map does not show. */
  others(cases) {
    if (this.study.kind == "points" || this.study.kind == "list") return []
    const shown = [view.x, view.y, view.over]
    return this.study.parameters
      .filter(each => each.is_axis && cases.codes(each.name) && !shown.includes(each.name))
      .map(each => each.name)
      .filter(name => !shown.some(own => own && cases.codes(own) && cases.determines(own, name)))
  }

  /** Return what is shown of an axis unless a person chooses: one value, or all as points. */
  usual(name) {
    return this.form(this.cases) == "points" ? "all" : this.middle(name)
  }

  /** Return the code at which an axis is fixed: the middle of those with most results. */
  middle(name) {
    const {labels, is_number: isNumber} = parameter(name)
    const counts = new Array(labels.length).fill(0)
    const codes = this.cases.codes(name)
    codes.forEach((code, i) => {
      if (this.cases.hasValue(i)) counts[code]++
    })
    const most = Math.max(...counts)
    const good = counts.map((_, code) => code).filter(code => 2 * counts[code] >= most)
    return isNumber ? good[Math.floor((good.length - 1) / 2)] : good[0]
  }

  /** Return how the cases are drawn: as cells, one each; as medians of cells; or as points. */
  form(cases) {
    const x = cases.codes(view.x)
    const y = cases.codes(view.y)
    if (view.y == VALUE || result(view.y) || result(view.x)) return "points"
    const isGrid =
      x &&
      y &&
      parameter(view.x).labels.length <= MAX_CODES &&
      parameter(view.y).labels.length <= MAX_CODES
    const most = MAX_CELLS_PER_CASE * Math.max(cases.count, 20)
    const isDense =
      isGrid && parameter(view.x).labels.length * parameter(view.y).labels.length <= most
    if (isDense && this.study.kind != "points" && this.study.kind != "list") return "cells"
    return view.form == "medians" ? "medians" : "points"
  }

  shades(cases) {
    const at = value => (this.isLog ? (value > 0 ? Math.log10(value) : NaN) : value)
    let low = Infinity
    let high = -Infinity
    for (let i = 0; i < cases.count; i++) {
      const shade = at(this.values[i])
      if (!Number.isFinite(shade) || !cases.isIncluded(i)) continue
      if (shade < low) low = shade
      if (shade > high) high = shade
    }
    ;[low, high] = held(`colours of ${cases.answer.head}, ${this.isLog}`, low, high)
    if (low > high) [low, high] = [0, 1]
    if (low == high) [low, high] = [low - 0.5, high + 0.5]
    const bar = {
      thickness: 12,
      len: 1,
      outlinewidth: 0,
      title: {text: plain(cases.answer.head), side: "right", font: {size: 12}},
    }
    if (this.isLog) Object.assign(bar, logTicks(low, high))
    return {at, axis: {colorscale: "Viridis", cmin: low, cmax: high, colorbar: bar}}
  }

  /** Draw a panel as cells. */
  cells(panel, shades, chosen, suffix) {
    const {cases} = this
    const all = this.panels.flatMap(each => each.indices)
    const isBinned = this.form(cases) == "medians"
    const grid = isBinned ? binnedGrid(cases, panel, all) : codedGrid(cases, panel)
    this.grids.push(grid)
    const {nx, ny} = grid
    const matrix = filled => Array.from({length: ny}, () => new Array(nx).fill(filled))
    const z = matrix(null)
    const written = {x: [], y: [], text: [], colours: []}
    const hints = matrix("")
    const shade = matrix(null)
    const marked = {}
    const cellWidth =
      this.figure.place.clientWidth / (Math.min(COLUMNS, this.panels.length) * nx + 2)
    const isWritten =
      this.panels.length * nx * ny <= MAX_CELLS_WRITTEN && cellWidth > MIN_CELL_WIDTH
    const size = cellWidth > 42 ? 12 : 10
    const {cmin, cmax} = shades.axis
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++) {
        const cell = grid.cells[j * nx + i]
        if (!cell) continue
        const {value, state} = this.summary(cell)
        const mark = this.isLog && value === 0 ? ZERO : state
        z[j][i] = Number.isFinite(shades.at(value)) ? shades.at(value) : null
        if (isWritten && Number.isFinite(value)) {
          written.x.push(i)
          written.y.push(j)
          written.text.push(number(value))
          const colour =
            z[j][i] == null ? [204, 204, 204] : viridis((z[j][i] - cmin) / (cmax - cmin))
          const isOutside = chosen && !cell.some(index => chosen[index])
          written.colours.push(isOutside ? theme().faint : inkOn(colour))
        }
        if (nx * ny <= MAX_CELLS_HINTED) hints[j][i] = this.hint(cell, grid, i, j)
        if (this.markOf.has(mark)) (marked[mark] ??= []).push([i, j])
        if (chosen && !cell.some(index => chosen[index])) shade[j][i] = 1
      }
    }
    const axes = {xaxis: `x${suffix}`, yaxis: `y${suffix}`}
    const traces = [
      {
        type: "heatmap",
        z,
        customdata: hints,
        hovertemplate: "%{customdata}<extra></extra>",
        coloraxis: "coloraxis",
        xgap: nx > 60 ? 0 : 1,
        ygap: ny > 60 ? 0 : 1,
        hoverongaps: true,
        showlegend: false,
        ...axes,
      },
    ]
    const faces = matrix(null)
    const greys = [FAILED, ZERO].map(state => this.markOf.get(state).face)
    for (const [k, state] of [FAILED, ZERO].entries())
      for (const [i, j] of marked[state] ?? []) faces[j][i] = k
    traces.push({
      type: "heatmap",
      z: faces,
      zmin: 0,
      zmax: 1,
      colorscale: greys.map((grey, k) => [k, grey]),
      showscale: false,
      hoverinfo: "skip",
      xgap: 1,
      ygap: 1,
      ...axes,
    })
    for (const [state, places] of Object.entries(marked))
      traces.push(this.marks(Number(state), places, axes, Math.max(nx, ny), isWritten))
    if (written.x.length) {
      const {x, y, text, colours} = written
      traces.push({
        type: "scatter",
        mode: "text",
        x,
        y,
        text,
        textfont: {color: colours, size},
        hoverinfo: "skip",
        showlegend: false,
        ...axes,
      })
    }
    if (chosen)
      traces.push({
        type: "heatmap",
        z: shade,
        zmin: 0,
        zmax: 1,
        colorscale: [
          [0, theme().back],
          [1, theme().back],
        ],
        opacity: 0.75,
        showscale: false,
        hoverinfo: "skip",
        ...axes,
      })
    return {
      traces,
      x: {...grid.x, range: [-0.5, nx - 0.5], showgrid: false},
      y: {...grid.y, range: [-0.5, ny - 0.5], showgrid: false},
      across: headOf(view.x),
      upwards: headOf(view.y),
    }
  }

  marks(state, places, axes, most, isWritten) {
    const {mark: symbol, word} = this.markOf.get(state)
    const isEarly = state == EARLY
    // where a cell has its number, the mark stands above it
    const above = isWritten && isEarly ? 0.3 : 0
    return {
      type: "scatter",
      mode: "markers",
      name: word,
      legendgroup: String(state),
      meta: "cell",
      x: places.map(([i]) => i),
      y: places.map(([, j]) => j + above),
      hoverinfo: "skip",
      marker: {
        symbol: isEarly ? symbol.replace("-open", "") : symbol,
        size: most > 60 ? 3 : most > 20 ? 6 : 11,
        color: isEarly ? "#ffffff" : "#555555",
        line: {width: 1.5, color: isEarly ? "#1c2733" : "#555555"},
      },
      ...axes,
    }
  }

  /** Return the value of a cell, the median of several, and the state that prevents one. */
  summary(cell) {
    const {state} = this.cases.answer
    if (cell.length == 1) return {value: this.values[cell[0]], state: state[cell[0]], values: null}
    const values = cell
      .map(index => this.values[index])
      .filter(Number.isFinite)
      .sort((a, b) => a - b)
    const worst = values.length ? DONE : state[cell[0]]
    return {value: quantile(values, 0.5), state: worst, values}
  }

  hint(cell, grid, i, j) {
    const {cases} = this
    const {value, state, values} = this.summary(cell)
    const lines = [
      `${view.x} = ${grid.xWords[i]}${unitOf(view.x)}`,
      `${view.y} = ${grid.yWords[j]}${unitOf(view.y)}`,
    ]
    const words = this.study.states.find(each => each.code == state)?.word
    lines.push(
      `${cases.answer.head}: ${Number.isFinite(value) ? Number(value.toPrecision(7)) : words}`,
    )
    if (values) {
      lines.push(
        `median of ${values.length}; 5 to 95 %: ${number(quantile(values, 0.05))} to ${number(quantile(values, 0.95))}`,
      )
    } else {
      if (state == EARLY) lines.push(words)
      if (cases.answer.is_noted[cell[0]]) lines.push("has notes")
      lines.push(`run ${cases.answer.run[cell[0]]}`)
    }
    return lines.map(plain).join("<br>")
  }

  /** Draw a panel as points. */
  points(panel, shades, chosen, suffix) {
    const {cases} = this
    const across = this.along(view.x)
    const upwards = view.y == VALUE ? this.along(cases.answer.name) : this.along(view.y)
    const isShown = index =>
      cases.isIncluded(index) &&
      Number.isFinite(across.at(index)) &&
      (view.y == VALUE || Number.isFinite(upwards.at(index)))
    const included = panel.indices.filter(isShown)
    const order = Array.from(drawn(included.length, MAX_POINTS), i => included[i])
    this.leftOut += included.length - order.length
    const axes = {xaxis: `x${suffix}`, yaxis: `y${suffix}`}
    const inside = []
    const outside = []
    const marked = {}
    for (const index of order) {
      const value = this.values[index]
      const state = this.isLog && value === 0 ? ZERO : cases.answer.state[index]
      if (chosen && !chosen[index]) outside.push(index)
      else if (this.markOf.has(state) && state != EARLY) (marked[state] ??= []).push(index)
      else inside.push(index)
    }
    const [low] = range(included.map(index => upwards.at(index)).filter(Number.isFinite))
    const height = index => (Number.isFinite(upwards.at(index)) ? upwards.at(index) : low)
    const trace = (indices, marker, group = null, name = "") => ({
      type: "scatter",
      mode: "markers",
      name,
      legendgroup: group,
      meta: "case",
      showlegend: false,
      x: indices.map(across.at),
      y: indices.map(height),
      customdata: indices.map(index => [index, this.hintOf(index)]),
      hovertemplate: "%{customdata[1]}<extra></extra>",
      marker,
      ...axes,
    })
    const traces = [
      trace(outside, {size: 5, color: theme().line}),
      trace(inside, {
        size: 7,
        color: inside.map(index => shades.at(this.values[index])),
        coloraxis: "coloraxis",
        line: {width: 0.5, color: theme().back},
      }),
    ]
    for (const [state, indices] of Object.entries(marked)) {
      const {mark: symbol, word} = this.markOf.get(Number(state))
      traces.push(
        trace(
          indices,
          {
            size: 9,
            symbol,
            color: state == ZERO ? "#999999" : "#d55e00",
            line: {width: 2, color: state == ZERO ? "#555555" : "#d55e00"},
          },
          state,
          word,
        ),
      )
    }
    this.spots.push({across, height, order, indices: new Set(panel.indices)})
    return {traces, x: across.axis, y: upwards.axis, across: across.head, upwards: upwards.head}
  }

  /** Return positions along a parameter or a result, with the look of its axis. */
  along(name) {
    const own = parameter(name)
    const {values, isLog, head} = this.column(name)
    const at = index =>
      isLog ? (values[index] > 0 ? Math.log10(values[index]) : NaN) : values[index]
    let [low, high] = [Infinity, -Infinity]
    for (let i = 0; i < this.cases.count; i++) {
      const place = at(i)
      if (place < low) low = place
      if (place > high) high = place
    }
    ;[low, high] = held(`axis of ${head}, ${isLog}`, low, high)
    if (low > high) [low, high] = [0, 1]
    const margin = 0.04 * (high - low) || 0.5
    const axis = {range: [low - margin, high + margin], ...(isLog ? logTicks(low, high) : {})}
    if (own && !own.is_number) Object.assign(axis, ticks(own.labels, name == view.y))
    return {at, axis, head}
  }

  /** Return the values along which points stand, and how they are shown. */
  column(name) {
    const {cases} = this
    if (name == cases.answer.name)
      return {values: this.values, isLog: this.isLog, head: cases.answer.head}
    const own = parameter(name)
    if (own) return {values: cases.numbers(name), isLog: own.is_log, head: own.head}
    if (this.more.has(name)) {
      const {value, is_log: isLog, head} = this.more.get(name).answer
      return {values: value, isLog, head}
    }
    return {values: cases.answer.run, isLog: false, head: "run"}
  }

  hintOf(index) {
    const {cases} = this
    const lines = this.study.parameters
      .filter(each => cases.has(each.name))
      .slice(0, 8)
      .map(each => cases.phrase(each.name, index))
    const state = cases.answer.state[index]
    const words = this.study.states.find(each => each.code == state)?.word
    const value = this.values[index]
    lines.push(
      `${cases.answer.head}: ${Number.isFinite(value) ? Number(value.toPrecision(7)) : words}`,
    )
    if (cases.answer.is_noted[index]) lines.push("has notes")
    lines.push(`run ${cases.answer.run[index]}`)
    return lines.map(plain).join("<br>")
  }

  /** Return frames around the cells of the chosen runs and of the cursor. */
  outlines() {
    const shapes = []
    const frame = (x0, x1, y0, y1, suffix, colour, dash) => {
      const shared = {
        type: "rect",
        x0,
        x1,
        y0,
        y1,
        xref: `x${suffix}`,
        yref: `y${suffix}`,
        fillcolor: "rgba(0,0,0,0)",
      }
      shapes.push(
        {...shared, line: {color: "#ffffff", width: 5}},
        {...shared, line: {color: colour, width: 3, dash}},
      )
    }
    const around = (index, colour, dash) => {
      if (index < 0) return
      this.spots.forEach(({across, height, indices}, k) => {
        if (indices.has(index))
          shapes.push(circle(across.at(index), height(index), k, {color: colour, width: 3, dash}))
      })
      this.grids.forEach((grid, k) => {
        const place = grid.cells.findIndex(cell => cell?.includes(index))
        if (place < 0) return
        const [i, j] = [place % grid.nx, Math.floor(place / grid.nx)]
        frame(i - 0.5, i + 0.5, j - 0.5, j + 0.5, k ? String(k + 1) : "", colour, dash)
      })
    }
    view.runs.forEach((run, k) =>
      around(this.cases.indexOf(run), lineColour(this.study.colours, k), "solid"),
    )
    if (this.cursor != null) around(this.cursor, theme().ink, "dot")
    return shapes
  }

  about(cases, form, chosen) {
    const counts = new Map()
    let count = 0
    for (const panel of this.panels) {
      for (const index of panel.indices) {
        const state = this.isLog && this.values[index] === 0 ? ZERO : cases.answer.state[index]
        counts.set(state, (counts.get(state) ?? 0) + 1)
        count++
      }
    }
    const others = this.study.states.filter(each => each.code != DONE && counts.has(each.code))
    const parts = others.map(each => `${counts.get(each.code)} ${each.word}`)
    const noun = cases.answer.rings ? "disk" : this.study.kind == "list" ? "run" : "case"
    const sentences = [
      `${counted(count, noun)}${parts.length ? `: ${parts.join(", ")}` : ", all done"}.`,
    ]
    if (form == "points" && this.leftOut)
      sentences.push(`${this.leftOut} more are not drawn: a random sample is.`)
    const areMedians = this.grids.some(grid => grid.cells.some(cell => cell?.length > 1))
    if (areMedians) sentences.push("Cells have medians.")
    if (chosen) {
      const inside = this.panels.flatMap(panel => panel.indices).filter(index => chosen[index])
      const shown = inside.filter(index => cases.isIncluded(index)).length
      sentences.push(`${counted(shown, noun)} selected; the rest is grey.`)
    }
    sentences.push(...cases.answer.remarks.map(line => `${line.replace(/\.$/, "")}.`))
    const fixed = this.fixed(cases).map(
      ([name, code]) => `${name} = ${parameter(name).labels[code]}${unitOf(name)}`,
    )
    const title = [
      areMedians ? `medians of ${cases.answer.head}` : cases.answer.head,
      ...fixed,
    ].join(", ")
    const words = `map of ${title} over ${view.x} and ${view.y}; ${sentences[0]} Arrow keys go from cell to cell, Enter chooses.`
    return {title, remark: sentences.join(" "), words, columns: () => this.table(cases)}
  }

  /** Return the columns of exactly what is drawn. */
  table(cases) {
    const indices = this.panels.flatMap(panel => panel.indices)
    const columns = {}
    for (const own of this.study.parameters) {
      if (cases.has(own.name))
        columns[own.head] = indices.map(index => cases.written(own.name, index))
    }
    columns[cases.answer.head] = indices.map(index => this.values[index])
    columns.state = indices.map(
      index => this.study.states.find(each => each.code == cases.answer.state[index])?.word,
    )
    columns[cases.answer.rings ? "first run" : "run"] = indices.map(
      index => cases.answer.run[index],
    )
    return columns
  }

  /** Frame the chosen runs anew, without drawing the rest again. */
  mark() {
    if (this.figure.isDrawn) window.Plotly.relayout(this.figure.place, {shapes: this.outlines()})
  }

  /** Read the results that are axes themselves. */
  async read(where) {
    const more = new Map()
    const own = await Cases.of(view.name, where)
    for (const name of [view.x, view.y]) {
      if (!result(name) || name == view.name) continue
      const others = await Cases.of(name, where)
      if (others.answer.rings != own.answer.rings)
        throw new Refusal(
          `${name} is of ${others.answer.rings || "single rings"}, ${view.name} of` +
            ` ${own.answer.rings || "single rings"}: let cases be single rings`,
        )
      more.set(name, others)
    }
    return more
  }
}

/** Return a circle around a point of a panel. */
function circle(x, y, k, line) {
  const suffix = k ? String(k + 1) : ""
  const size = {xsizemode: "pixel", ysizemode: "pixel", x0: -8, x1: 8, y0: -8, y1: 8}
  const place = {xref: `x${suffix}`, yref: `y${suffix}`, xanchor: x, yanchor: y}
  return {type: "circle", ...size, ...place, line}
}

/** Let the marks of one state have one entry in the legend, with their number in all panels. */
function joinLegends(traces) {
  const first = new Map()
  const counts = new Map()
  for (const trace of traces) {
    if (trace.legendgroup == null) continue
    trace.showlegend = false
    if (!first.has(trace.legendgroup)) first.set(trace.legendgroup, trace)
    counts.set(trace.legendgroup, (counts.get(trace.legendgroup) ?? 0) + trace.x.length)
  }
  for (const [group, trace] of first) {
    trace.showlegend = true
    trace.name = `${trace.name} (${counted(counts.get(group), trace.meta)})`
  }
}

/** Return the controls of the axes that the map does not show. */
export function fixedControls(map, cases, changed) {
  return map.others(cases).map(name => {
    const {labels, head, meaning} = parameter(name)
    const value = String(view.fixed[name] ?? map.usual(name))
    const field = element("select", {
      "aria-label": name,
      change: () =>
        changed({...view.fixed, [name]: field.value == "all" ? "all" : Number(field.value)}),
    })
    labels.forEach((label, code) =>
      field.append(
        element("option", {value: String(code), selected: String(code) == value}, label),
      ),
    )
    field.append(element("option", {value: "all", selected: value == "all"}, "all"))
    return element("label", {class: "field", title: meaning}, element("span", {}, head), field)
  })
}
