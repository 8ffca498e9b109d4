// Figures by Plotly in the colours of the page, and the buttons that save them.

import {button, element, save, showProblem} from "page/dom"
import {csv} from "page/numbers"

// Plotly is large: while it is read, the page asks the server, and writes what is no figure.
const script = document.getElementById("plotly")
const plotly = new Promise((take, refuse) => {
  if (window.Plotly || !script) take()
  else {
    script.addEventListener("load", take)
    script.addEventListener("error", () => refuse(new Error("plotly.js cannot be read")))
  }
})

const DPI = 300
const PIXELS_PER_INCH = 96
const LIGHT = {ink: "#1c2733", faint: "#5a6875", line: "#d5dbe1", back: "#ffffff"}

// Colours of lines that would hardly be seen on a dark page.
const IN_THE_DARK = {"#000000": "#e4e9ee", "#0072b2": "#4ea3dc", "#d55e00": "#ff8c42"}

/** Dashes that tell lines apart without colours. */
export const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px,2px"]

/** Return the colours of the page, which follow the setting of the system. */
export function theme() {
  const style = getComputedStyle(document.documentElement)
  return Object.fromEntries(
    Object.keys(LIGHT).map(name => [name, style.getPropertyValue(`--${name}`).trim()]),
  )
}

/** Return the colour of one of several lines, as it is seen on the page. */
export function lineColour(colours, k) {
  const colour = colours[k % colours.length]
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches
  return isDark ? (IN_THE_DARK[colour] ?? colour) : colour
}

const VIRIDIS = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 73, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [110, 206, 88],
  [181, 222, 43],
  [253, 231, 37],
]

/** Return the colour of viridis at a place from 0 to 1, as red, green, and blue. */
export function viridis(place) {
  const at = Math.min(1, Math.max(0, place)) * (VIRIDIS.length - 1)
  const below = Math.min(VIRIDIS.length - 2, Math.floor(at))
  return VIRIDIS[below].map((value, k) => value + (at - below) * (VIRIDIS[below + 1][k] - value))
}

/** Return black or white, whichever is read better on a colour. */
export function inkOn(colour) {
  const [red, green, blue] = colour.map(value => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
  return (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) ? "#000000" : "#ffffff"
}

/** Return a text as Plotly writes it, with nothing in it that it would take for a tag. */
export function plain(words) {
  return String(words).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
}

function axisLook(colours) {
  return {
    gridcolor: colours.line,
    linecolor: colours.faint,
    tickcolor: colours.faint,
    zeroline: false,
    ticks: "outside",
    ticklen: 4,
    title: {standoff: 6},
    automargin: true,
  }
}

function looked(layout, colours) {
  const whole = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: {family: "system-ui, sans-serif", size: 12, color: colours.ink},
    margin: {l: 52, r: 12, t: 8, b: 40},
    hoverlabel: {font: {size: 12, family: "system-ui, sans-serif"}, align: "left"},
    autosize: true,
    ...layout,
  }
  for (const key of Object.keys(whole)) {
    if (/^[xy]axis\d*$/.test(key)) {
      const own = axisLook(colours)
      whole[key] = {...own, ...whole[key], title: {...own.title, ...whole[key].title}}
    }
  }
  return whole
}

/** A box of the page with a figure in it. */
export class Figure {
  /**
   * @param {string} name - of the figure, for files and for people who do not see it
   * @param {() => string} caption - what stands below a saved picture
   */
  constructor(name, caption) {
    this.name = name
    this.caption = caption
    this.columns = () => ({})
    this.title = element("h2", {})
    this.place = element("div", {class: "plot", role: "img", "aria-label": name})
    const tools = element("div", {class: "tools"})
    for (const kind of ["PNG", "SVG", "CSV"]) {
      const press = () => this.save(kind).catch(error => showProblem(error.message))
      tools.append(button(kind, press, {title: `save ${name} as ${kind}`}))
    }
    this.remark = element("p", {class: "faint"})
    this.box = element(
      "section",
      {class: "figure", "aria-label": name},
      element("div", {class: "caption"}, this.title, tools),
      this.place,
      this.remark,
    )
    this.listeners = []
    this.isDrawn = false
    new ResizeObserver(() => this.resize()).observe(this.place)
  }

  /** Let the figure fill its place. */
  resize() {
    const isSeen = this.place.clientWidth > 0 && this.place.clientHeight > 0
    if (this.isDrawn && isSeen) Plotly.Plots.resize(this.place)
  }

  /** Call `listener` for an event of Plotly. */
  on(event, listener) {
    this.listeners.push([event, listener])
  }

  /**
   * Draw the figure.
   * @param {Array<object>} traces
   * @param {object} layout
   * @param {{title: string, remark?: string, words?: string, columns?: () => object}} about
   */
  async draw(traces, layout, about) {
    this.title.textContent = about.title
    this.remark.textContent = about.remark ?? ""
    this.remark.hidden = !about.remark
    this.place.setAttribute("aria-label", about.words ?? about.title)
    this.columns = about.columns ?? this.columns
    this.traces = traces
    this.layout = layout
    const options = {displayModeBar: false, doubleClick: "reset"}
    await plotly
    await Plotly.react(this.place, traces, looked(layout, theme()), options)
    if (!this.isDrawn) {
      this.isDrawn = true
      for (const [event, listener] of this.listeners) this.place.on(event, listener)
    }
  }

  /** Save the picture with its title, its key, and what it is of; or its numbers. */
  async save(kind) {
    const file = `${document.title.split(" – ")[0].replace(/[^\w.-]+/g, "-")}-${this.name.replaceAll(" ", "-")}`
    if (kind == "CSV") {
      save(csv(this.columns()), `${file}.csv`, "text/csv;charset=utf-8")
      return
    }
    if (!this.isDrawn) {
      showProblem("there is no picture to save")
      return
    }
    const width = this.place.clientWidth
    const height = this.place.clientHeight + 70
    const below = this.layout.margin?.b ?? 40
    const layout = looked(this.layout, LIGHT)
    layout.paper_bgcolor = LIGHT.back
    layout.title = {
      text: plain(this.title.textContent),
      font: {size: 13},
      x: 0.01,
      xanchor: "left",
      y: 0.98,
      yanchor: "top",
    }
    layout.margin = {...layout.margin, t: (layout.margin.t ?? 8) + 30, b: below + 40}
    const caption = {
      text: plain(this.caption()),
      xref: "paper",
      yref: "paper",
      x: 0,
      y: 0,
      yshift: -below - 26,
      xanchor: "left",
      yanchor: "top",
      showarrow: false,
      font: {size: 9, color: LIGHT.faint},
    }
    layout.annotations = [...(layout.annotations ?? []), caption]
    layout.autosize = false
    const url = await Plotly.toImage(
      {data: this.traces, layout: {...layout, width, height}},
      {format: kind.toLowerCase(), width, height, scale: kind == "PNG" ? DPI / PIXELS_PER_INCH : 1},
    )
    save(contentOf(url), `${file}.${kind.toLowerCase()}`)
  }
}

/** Return what a data URL holds; the page may load nothing, not even that. */
function contentOf(url) {
  const [head, content] = [url.slice(5, url.indexOf(",")), url.slice(url.indexOf(",") + 1)]
  const letters = head.endsWith(";base64") ? atob(content) : null
  const bytes = letters
    ? Uint8Array.from(letters, letter => letter.charCodeAt(0))
    : decodeURIComponent(content)
  return new Blob([bytes], {type: head.replace(";base64", "")})
}
