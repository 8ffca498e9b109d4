// Curves over time of the chosen runs or disks, of what is under the pointer, and bands of many.

import {ask, Refusal} from "page/ask"
import {Figure, plain, theme} from "page/figure"
import {drawn, logTicks, number} from "page/numbers"
import {range} from "page/grids"
import {view} from "page/view"

const SHOWN = ["M_out_dot", "M_loss_cum", "tau_los"]
const MIN_OF_BAND = 20
const MAX_OF_BAND = 200

/** The curves. */
export class Curves {
  constructor(study, caption) {
    this.study = study
    this.figure = new Figure("curves", caption)
    this.turn = 0
  }

  get names() {
    return this.study.series.map(each => each.name).filter(name => SHOWN.includes(name))
  }

  /**
   * Draw the curves.
   * @param {Array<{run: number, words: string, colour: string, dash: string}>} lines
   * @param {Array<number>|null} many - first runs of a cell that holds many
   */
  async draw(lines, many) {
    const turn = ++this.turn
    const names = this.names
    const query = {
      names: names.join(","),
      where: view.where,
      rings: view.rings == "single" ? "single" : "",
    }
    const parts = []
    const problems = []
    let band = null
    if (many && many.length >= MIN_OF_BAND) {
      try {
        const some = drawn(many.length, MAX_OF_BAND).map(i => many[i])
        band = await ask("curves", {...query, runs: some.join(","), of: many.length, band: 1})
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        problems.push(error.message)
      }
    }
    for (const line of lines) {
      try {
        // the second of two studies may have a unit of time of its own
        const own = line.study ? {time: this.study.time_unit} : {}
        const question = {...query, ...own, runs: String(line.run)}
        const answer = await ask("curves", question, line.study ?? 0)
        for (const problem of answer.problems) problems.push(`run ${problem.run}: ${problem.words}`)
        for (const curve of answer.curves) parts.push({line, curve, answer})
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        problems.push(error.message)
      }
    }
    if (turn != this.turn) return
    await this.show(names, parts, band, problems)
  }

  async show(names, parts, band, problems) {
    const answers = [...parts.map(part => part.answer), ...(band ? [band] : [])]
    const isLogTime =
      view.time == "auto" ? answers.some(answer => answer.is_log_time) : view.time == "log"
    const t = value => (isLogTime ? (value > 0 ? Math.log10(value) : NaN) : value)
    const traces = []
    const layout = {
      margin: {l: 62, r: 10, t: 24, b: 40},
      hovermode: "closest",
      showlegend: true,
      annotations: [],
    }
    layout.legend = {
      orientation: "h",
      y: 1,
      yref: "container",
      yanchor: "top",
      x: 0,
      font: {size: 11},
    }
    const times = answers.flatMap(answer =>
      answer.curves ? answer.curves.map(curve => curve.t) : [answer.t],
    )
    const ends = range(times.flatMap(each => Array.from(each, t)).filter(Number.isFinite))
    const height = 1 / names.length
    names.forEach((name, k) => {
      const suffix = k ? String(k + 1) : ""
      // an axis without a trace would not be drawn
      traces.push({
        type: "scatter",
        x: [null],
        y: [null],
        showlegend: false,
        hoverinfo: "skip",
        xaxis: "x",
        yaxis: `y${suffix}`,
      })
      const top = 1 - k * height - 0.035
      const heads = answers.map(answer => answer.heads[name])
      const head = heads[0] ?? name
      const values = parts.map(part => part.curve.values[name])
      // what has no place along time needs none upwards
      const seen = values.flatMap((each, i) =>
        Array.from(each).filter((_, n) => Number.isFinite(t(parts[i].curve.t[n]))),
      )
      const all = [...seen, ...(band ? Array.from(band.quantiles[name]) : [])].filter(
        Number.isFinite,
      )
      const positive = all.filter(value => value > 0)
      const isLog =
        positive.length > 0 &&
        !all.some(value => value < 0) &&
        range(positive)[1] > 10 * range(positive)[0]
      const y = value => (isLog ? (value > 0 ? Math.log10(value) : null) : value)
      const axes = {xaxis: "x", yaxis: `y${suffix}`}
      if (band) traces.push(...bandTraces(band, name, t, y, axes, k == 0))
      parts.forEach(({line, curve}, i) => {
        traces.push({
          type: "scatter",
          mode: "lines",
          name: plain(line.words),
          legendgroup: String(line.run),
          showlegend: k == 0,
          x: Array.from(curve.t, t),
          y: Array.from(values[i], y),
          line: {color: line.colour, dash: line.dash, width: line.isHovered ? 1.5 : 2},
          connectgaps: false,
          customdata: Array.from(curve.t, (time, n) => [
            number(time, 5),
            String(Number(values[i][n].toPrecision(7))),
          ]),
          hovertemplate: `${plain(line.words)}<br>t = %{customdata[0]}<br>%{customdata[1]}<extra></extra>`,
          ...axes,
        })
      })
      const [low, high] = range(all.map(y).filter(value => value != null && Number.isFinite(value)))
      const margin = 0.06 * (high - low) || 0.5
      layout[`yaxis${suffix}`] = {
        domain: [1 - (k + 1) * height + 0.02, top],
        range: [low - margin, high + margin],
        nticks: 5,
        exponentformat: "power",
        ...(isLog ? logTicks(low, high, 4) : {}),
        anchor: "x",
      }
      layout.annotations.push({
        text: plain(head),
        x: 0,
        y: top,
        xref: "paper",
        yref: "paper",
        xanchor: "left",
        yanchor: "bottom",
        showarrow: false,
        font: {size: 12},
      })
    })
    layout.xaxis = {
      range: ends,
      anchor: `y${names.length > 1 ? names.length : ""}`,
      title: {text: plain(answers[0]?.time ?? "time")},
      ...(isLogTime ? logTicks(...ends) : {nticks: 6}),
    }
    const remarks = [...problems, ...(band ? [`band: 5 to 95 % and 25 to 75 % ${band.words}`] : [])]
    const words = parts.length ? parts.map(part => part.line.words).join("; ") : "nothing is chosen"
    await this.figure.draw(traces, layout, {
      title: "Over time",
      remark: remarks.join("; "),
      words: `curves of ${names.join(", ")} over time: ${words}`,
      columns: () => table(names, parts),
    })
  }
}

function bandTraces(band, name, t, y, axes, isFirst) {
  const count = band.t.length
  const row = k => Array.from({length: count}, (_, i) => y(band.quantiles[name][k * count + i]))
  const x = Array.from(band.t, t)
  const {ink} = theme()
  const edge = (k, filled, label) => ({
    type: "scatter",
    mode: "lines",
    x,
    y: row(k),
    line: {width: 0, color: "#0072b2"},
    hoverinfo: "skip",
    showlegend: false,
    ...(filled ? {fill: "tonexty", fillcolor: filled, name: label, showlegend: isFirst} : {}),
    ...axes,
  })
  return [
    edge(0),
    edge(4, "rgba(0,114,178,0.18)", "5 to 95 %"),
    edge(1),
    edge(3, "rgba(0,114,178,0.3)", "25 to 75 %"),
    {
      type: "scatter",
      mode: "lines",
      x,
      y: row(2),
      line: {color: ink, width: 2},
      name: "median",
      showlegend: isFirst,
      hoverinfo: "skip",
      ...axes,
    },
  ]
}

function table(names, parts) {
  const columns = {"curve of": [], run: [], t: []}
  for (const name of names) columns[name] = []
  for (const {line, curve} of parts) {
    curve.t.forEach((time, i) => {
      columns["curve of"].push(line.words)
      columns.run.push(line.run)
      columns.t.push(time)
      for (const name of names) columns[name].push(curve.values[name][i])
    })
  }
  const {time, heads} = parts[0]?.answer ?? {time: "t", heads: {}}
  const headOf = {t: time, ...heads}
  return Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [headOf[name] ?? name, values]),
  )
}
