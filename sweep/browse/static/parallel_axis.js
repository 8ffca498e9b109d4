// An axis of parallel coordinates.

import {parameter, placesOf} from "page/cases"
import {range} from "page/grids"
import {logTicks, number} from "page/numbers"

const ZERO_GAP = 0.1
const NULL_GAP = 0.1
const MAX_LABELS = 8

/** Where values of a parameter or of the result stand: from 0 at the bottom to 1 at the top. */
export class Axis {
  /**
   * @param {Cases} cases
   * @param {string} name - of a parameter, or of the result
   * @param {boolean} isLogOfResult - whether the result is drawn on a logarithmic axis
   */
  constructor(cases, name, isLogOfResult) {
    const own = parameter(name)
    this.codes = cases.codes(name)
    this.values = this.codes ? placesOf(own) : own ? cases.numbers(name) : cases.answer.value
    this.name = name
    this.head = own ? own.head : cases.answer.head
    this.isEven = Boolean(own && !own.is_number)
    this.isLog = !this.isEven && (own ? own.is_log : isLogOfResult)
    this.hasNull = Boolean(this.codes) && this.values.some(Number.isNaN)
    // null has a place of its own above all numbers
    this.top = this.hasNull ? 1 - NULL_GAP : 1
    this._span(this.values)
    this.marks = this._marks(own)
  }

  _span(values) {
    const places = Float64Array.from(values, value => this._place(value))
    this.hasZero = this.isLog && values.some(value => value === 0)
    // zeros have a place of their own below a logarithmic axis
    this.gap = this.hasZero ? ZERO_GAP : 0
    const [low, high] = range(places.filter(Number.isFinite))
    this.low = low == high ? low - 0.5 : low
    this.high = low == high ? high + 0.5 : high
  }

  _place(value) {
    return this.isLog ? (value > 0 ? Math.log10(value) : NaN) : value
  }

  _height(place) {
    return this.gap + ((this.top - this.gap) * (place - this.low)) / (this.high - this.low)
  }

  /** Return where a case stands. */
  height(i) {
    const value = this.values[this.codes ? this.codes[i] : i]
    return this.hasNull && Number.isNaN(value) ? 1 : this.at(value)
  }

  /** Return where a value stands; NaN where it has no place. */
  at(value) {
    return this.hasZero && value === 0 ? 0 : this._height(this._place(value))
  }

  /** Return the value that stands somewhere. */
  back(height) {
    if (this.hasZero && height < this.gap / 2) return 0
    const share = (height - this.gap) / (this.top - this.gap)
    const place = this.low + share * (this.high - this.low)
    return this.isLog ? 10 ** place : place
  }

  _marks(own) {
    if (own?.labels && own.labels.length <= MAX_LABELS)
      return placesOf(own).map((place, code) =>
        Number.isNaN(place) ? [1, "none"] : [this.at(place), own.labels[code]],
      )
    const marks = this.isLog
      ? this._decades()
      : [0, 0.25, 0.5, 0.75, 1].map(height => [height, number(this.back(height))])
    if (this.hasZero) marks.push([0, "0"])
    if (this.hasNull) marks.push([1, "none"])
    return marks
  }

  _decades() {
    const {tickvals, ticktext} = logTicks(this.low, this.high, 5)
    return tickvals.map((tick, i) => [this._height(tick), ticktext[i]])
  }
}
