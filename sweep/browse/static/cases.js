// The cases of a sweep: a result of each, and where it stands along every parameter.

import {ask} from "page/ask"
import {number} from "page/numbers"
import {view} from "page/view"

export const DONE = 1
export const FAILED = 2
export const EARLY = 4
export const ZERO = 5
const FILTERED = 6

let study = null

/** Keep what the study is. */
export function setStudy(given) {
  study = given
}

/** Return what is known of a parameter, or nothing where a name is none. */
export function parameter(name) {
  return study.parameters.find(each => each.name == name)
}

/** Return the number of each value of a parameter: of null none, and of texts their order. */
export function placesOf(own) {
  return own.labels.map((_, code) => (own.is_number ? (own.numbers[code] ?? NaN) : code))
}

/** Return what is known of a result. */
export function result(name) {
  return study.results.find(each => each.name == name)
}

/** Return what stands behind a value of a parameter: a space and its unit, or nothing. */
export function unitOf(name) {
  const unit = /\[(.*)\]$/.exec(parameter(name)?.head ?? "")?.[1]
  return unit ? ` ${unit}` : ""
}

/** Return a name with its unit, such as "T0 [K]". */
export function headOf(name) {
  const own = parameter(name)
  if (own) return own.head
  const unit = result(name)?.unit ?? "1"
  return unit == "1" ? name : `${name} [${unit}]`
}

/** The cases, as the server has answered. */
export class Cases {
  constructor(answer) {
    this.answer = answer
    this.count = answer.run.length
    this.columns = new Map()
    this.determined = new Map()
  }

  static async of(name, where, study = 0) {
    const rings = view.rings == "single" ? "single" : ""
    return new Cases(await ask("cases", {name, where, rings}, study))
  }

  /** The ratios of a result of two studies. */
  static async ofBoth(name, where) {
    const rings = view.rings == "single" ? "single" : ""
    return new Cases(await ask("ratio", {name, where, rings}))
  }

  /** Whether a case is shown: it passes the condition. */
  isIncluded(i) {
    return this.answer.state[i] != FILTERED
  }

  hasValue(i) {
    return Number.isFinite(this.answer.value[i])
  }

  /** Whether the cases stand along a parameter; disks stand along no ring. */
  has(name) {
    return name in this.answer.codes || name in this.answer.numbers
  }

  /** Return the codes of a parameter with few values, or nothing. */
  codes(name) {
    return this.answer.codes[name]
  }

  /** Return the numbers of a parameter; codes where its values are texts. */
  numbers(name) {
    if (!this.columns.has(name)) this.columns.set(name, this._numbers(name))
    return this.columns.get(name)
  }

  _numbers(name) {
    if (name in this.answer.numbers) return this.answer.numbers[name]
    const places = placesOf(parameter(name))
    return Float64Array.from(this.answer.codes[name], code => places[code])
  }

  /** Return the words for the value of a parameter in a case. */
  words(name, i) {
    const codes = this.answer.codes[name]
    if (codes) return parameter(name).labels[codes[i]]
    const value = this.answer.numbers[name]?.[i]
    return value == null ? "" : String(Number(value.toPrecision(6)))
  }

  /** Return the value of a parameter in a case as a file has it: a number, or words. */
  written(name, i) {
    const own = parameter(name)
    return own.is_number ? this.numbers(name)[i] : this.words(name, i)
  }

  /** Return the unit in which a column is shown, in units of its brush, which stay as they are. */
  factorOf(name) {
    return name == this.answer.name ? this.answer.factor : 1
  }

  /** Return what a brush has between two ends that are shown. */
  stored(name, ends) {
    return ends.map(value => value * this.factorOf(name))
  }

  /** Return the parts of a brush that are about these cases. */
  ranges(brush) {
    return Object.entries(brush).filter(([name]) => this.has(name) || name == this.answer.name)
  }

  /** Return a parameter with its value in a case, such as "T0 = 4000 K". */
  phrase(name, i) {
    const own = parameter(name)
    const value =
      own.is_number && own.numbers
        ? own.numbers[this.codes(name)[i]]
        : this.answer.numbers[name]?.[i]
    if (value != null) return `${name} = ${number(value, 4)}${unitOf(name)}`
    const words = this.words(name, i)
    return words == "null" ? `${name} = none` : `${name} = ${words}${unitOf(name)}`
  }

  /** Whether each value of one parameter goes with a single one of another. */
  determines(name, other) {
    const key = JSON.stringify([name, other])
    if (!this.determined.has(key)) this.determined.set(key, this._determines(name, other))
    return this.determined.get(key)
  }

  _determines(name, other) {
    const own = this.codes(name)
    const others = this.codes(other)
    if (!own || !others) return false
    const partners = new Map()
    for (let i = 0; i < this.count; i++) {
      if (!partners.has(own[i])) partners.set(own[i], others[i])
      else if (partners.get(own[i]) != others[i]) return false
    }
    return true
  }

  /** Return which cases are within the brush and the group, or null where there is neither. */
  chosen(group) {
    const ranges = this.ranges(view.brush)
    if (!ranges.length && !group) return null
    const chosen = new Uint8Array(this.count).fill(1)
    for (const [name, [first, last]] of ranges) {
      const values = name == this.answer.name ? this.answer.value : this.numbers(name)
      const factor = this.factorOf(name)
      const [low, high] = [first / factor, last / factor]
      for (let i = 0; i < this.count; i++)
        if (!(values[i] >= low && values[i] <= high)) chosen[i] = 0
    }
    if (group)
      for (let i = 0; i < this.count; i++) if (!group.has(this.answer.run[i])) chosen[i] = 0
    return chosen
  }

  /** Return the index of the case of a run, or -1. */
  indexOf(run) {
    return this.answer.run.indexOf(Number(run))
  }
}

/** Return a number that is as it was typed, to the digits that matter. */
function typed(value) {
  return String(Number(value.toPrecision(12)))
}

/** Return the condition that a brush stands for, as the filter takes it. */
export function condition(brush, cases) {
  const parts = []
  for (const [name, [low, high]] of cases.ranges(brush)) {
    const own = parameter(name)
    if (own?.values) {
      const places = placesOf(own)
      const inside = own.values.filter((_, code) => places[code] >= low && places[code] <= high)
      if (inside.some(value => typeof value == "string")) {
        parts.push(`(${inside.map(value => `${name} == ${JSON.stringify(value)}`).join(" or ")})`)
      } else if (inside.length) {
        parts.push(`${typed(Math.min(...inside))} <= ${name} <= ${typed(Math.max(...inside))}`)
      }
      continue
    }
    parts.push(
      `${typed(low - 1e-9 * Math.abs(low))} <= ${name} <= ${typed(high + 1e-9 * Math.abs(high))}`,
    )
  }
  return parts.join(" and ")
}
