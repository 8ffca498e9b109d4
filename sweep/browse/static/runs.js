// The table of runs: sorted by a click on a head, failed runs marked, with the columns one wants.

import {ask} from "page/ask"
import {FAILED} from "page/cases"
import {button, element, fill, save} from "page/dom"
import {counted, csv, number} from "page/numbers"
import {choose, view} from "page/view"

const MAX_ROWS = 200

/** Return the place of each text of a column in their order. */
function ranks(column) {
  const inOrder = [...column.texts].sort()
  const rank = column.texts.map(words => inOrder.indexOf(words))
  return Array.from(column.codes, code => rank[code])
}

/** The table. */
export class Runs {
  constructor(study, pick) {
    this.study = study
    this.pick = pick
    this.head = element("tr", {})
    this.body = element("tbody", {})
    this.note = element("p", {class: "faint"})
    this.columns = element("div", {class: "ticks"})
    const tools = element(
      "div",
      {class: "tools"},
      button("CSV", () => this.save(), {title: "save all these runs as CSV"}),
    )
    const more = element(
      "details",
      {class: "choice"},
      element("summary", {}, "columns"),
      this.columns,
    )
    const table = element("table", {}, element("thead", {}, this.head), this.body)
    this.box = element(
      "section",
      {class: "figure", "aria-label": "runs"},
      element("div", {class: "caption"}, element("h2", {}, "Runs"), more, tools),
      element(
        "div",
        {class: "wide scroll", tabindex: "0", role: "region", "aria-label": "table of runs"},
        table,
      ),
      this.note,
    )
  }

  /** Return a box to tick for each column; some come as the sweep goes on. */
  ticks() {
    return this.study.all_columns.map(name => {
      const tick = element("input", {
        type: "checkbox",
        checked: this.names.includes(name),
        change: () => this.ticked(name, tick.checked),
      })
      return element("label", {}, tick, name)
    })
  }

  get names() {
    return view.columns.length ? view.columns : this.study.columns
  }

  ask() {
    return ask("runs", {names: this.names.join(","), where: view.where})
  }

  ticked(name, isShown) {
    const names = this.names.filter(each => each != name)
    choose({columns: isShown ? [...names, name] : names})
  }

  /**
   * Draw the table.
   * @param {Set<number>|null} group - rows that a badge has named
   * @param {Set<number>|null} selected - runs of the cases within the brush
   * @param {boolean} areDisks - whether these are first rings of disks
   */
  async draw(group, selected, areDisks) {
    const names = this.names
    fill(this.columns, ...this.ticks())
    const answer = await this.ask()
    this.answer = answer
    let order = Array.from(answer.run, (_, i) => i)
    const isInside = group
      ? i => group.has(answer.run[i])
      : selected
        ? i => selected.has((areDisks ? answer.disk : answer.run)[i])
        : null
    if (view.sort) order = this.sorted(order, view.sort)
    if (isInside) order = [...order.filter(isInside), ...order.filter(i => !isInside(i))]
    this.order = order
    fill(
      this.head,
      this.heading("run", "run", "number of the run"),
      ...answer.columns.map(column => this.heading(column.name, column.head, column.meaning)),
    )
    fill(this.body, ...order.slice(0, MAX_ROWS).map(i => this.row(i, isInside)))
    const inside = isInside
      ? ` ${counted(order.filter(isInside).length, "run")} selected, on top.`
      : ""
    const most =
      order.length > MAX_ROWS
        ? ` The first ${MAX_ROWS} are shown; sorting acts on all, and CSV has all.`
        : ""
    const remark = answer.remark ? ` ${answer.remark}.` : ""
    this.note.textContent = `${order.length} of ${counted(answer.all, "run")}.${inside}${most}${remark} A click chooses a run, Shift adds one.`
  }

  heading(name, head, meaning) {
    const by = view.sort.replace(/^-/, "")
    const isSorted = by == name
    const isDown = view.sort.startsWith("-")
    const words = isSorted ? `${head} ${isDown ? "▼" : "▲"}` : head
    const next = isSorted && !isDown ? `-${name}` : name
    return element(
      "th",
      {scope: "col", "aria-sort": isSorted ? (isDown ? "descending" : "ascending") : "none"},
      button(words, () => choose({sort: next}), {class: "plain", title: meaning}),
    )
  }

  cell(column, i) {
    return column.numbers ? column.numbers[i] : column.texts[column.codes[i]]
  }

  sorted(order, by) {
    const name = by.replace(/^-/, "")
    const sign = by.startsWith("-") ? -1 : 1
    const column = this.answer.columns.find(each => each.name == name)
    const keys = name == "run" ? this.answer.run : column && (column.numbers ?? ranks(column))
    if (!keys) return order
    const known = order.filter(i => !Number.isNaN(keys[i]))
    const unknown = order.filter(i => Number.isNaN(keys[i]))
    return [...known.sort((a, b) => sign * (keys[a] - keys[b])), ...unknown]
  }

  row(i, isInside) {
    const {answer} = this
    const run = answer.run[i]
    const isChosen = view.runs.includes(String(run))
    const kinds = [
      answer.state[i] == FAILED && "failed",
      isChosen && "chosen",
      isInside && !isInside(i) && "outside",
    ].filter(Boolean)
    const words = answer.state[i] == FAILED ? `✕ ${run}` : String(run)
    const choice = button(
      words,
      event => this.pick.choose([run], event.shiftKey || event.ctrlKey, true),
      {
        class: "plain",
        "aria-pressed": String(isChosen),
        title: answer.state[i] == FAILED ? "failed" : "",
      },
    )
    const cells = answer.columns.map(column => {
      const value = this.cell(column, i)
      if (!column.numbers) return element("td", {title: value}, value == "not_yet" ? "–" : value)
      return element("td", {class: "number", title: String(value)}, number(value, 4))
    })
    return element(
      "tr",
      {class: kinds.join(" "), click: event => this.rowClicked(event, run)},
      element("td", {class: "number"}, choice),
      ...cells,
    )
  }

  rowClicked(event, run) {
    if (event.target.closest("button")) return
    this.pick.choose([run], event.shiftKey || event.ctrlKey, true)
  }

  save() {
    const columns = {run: this.order.map(i => this.answer.run[i])}
    for (const column of this.answer.columns)
      columns[column.head] = this.order.map(i => this.cell(column, i))
    save(csv(columns), "runs.csv", "text/csv;charset=utf-8")
  }
}
