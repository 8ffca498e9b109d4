// An axis of parallel coordinates.

import {parameter, placesOf} from "page/cases"
import {range} from "page/grids"
import {logTicks, number} from "page/numbers"

const ZERO_GAP = 0.1
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
    return this.gap + ((1 - this.gap) * (place - this.low)) / (this.high - this.low)
  }

  /** Return where a case stands. */
  height(i) {
    return this.at(this.values[this.codes ? this.codes[i] : i])
  }

  /** Return where a value stands; NaN where it has no place. */
  at(value) {
    return this.hasZero && value === 0 ? 0 : this._height(this._place(value))
  }

  /** Return the value that stands somewhere. */
  back(height) {
    if (this.hasZero && height < this.gap / 2) return 0
    const place = this.low + ((height - this.gap) / (1 - this.gap)) * (this.high - this.low)
    return this.isLog ? 10 ** place : place
  }

  _marks(own) {
    if (own?.labels && own.labels.length <= MAX_LABELS)
      return placesOf(own)
        .map((place, code) => [this.at(place), own.labels[code]])
        .filter(([height]) => Number.isFinite(height))
    const marks = this.isLog
      ? this._decades()
      : [0, 0.25, 0.5, 0.75, 1].map(height => [height, number(this.back(height))])
    if (this.hasZero) marks.push([0, "0"])
    return marks
  }

  _decades() {
    const {tickvals, ticktext} = logTicks(this.low, this.high, 5)
    return tickvals.map((tick, i) => [this._height(tick), ticktext[i]])
  }
}
