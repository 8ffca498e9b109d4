// Numbers as people write them, and tables of them.

const SUPERSCRIPTS = {
  "-": "⁻",
  0: "⁰",
  1: "¹",
  2: "²",
  3: "³",
  4: "⁴",
  5: "⁵",
  6: "⁶",
  7: "⁷",
  8: "⁸",
  9: "⁹",
}

/** Return a number such as 4000 or 2.88×10⁻⁹; a dash for none. */
export function number(value, digits = 3) {
  if (value == null || Number.isNaN(value)) return "–"
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞"
  if (value === 0) return "0"
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e")
  const power = Number(exponent)
  if (power > -4 && power < 6)
    return String(Number(value.toPrecision(Math.max(digits, power + 1)))).replace("-", "−")
  const raised = `10${[...String(power)].map(letter => SUPERSCRIPTS[letter]).join("")}`
  const short = String(Number(mantissa)).replace("-", "−")
  return short == "1" ? raised : `${short}×${raised}`
}

/** Return the value below which a fraction of sorted numbers lies. */
export function quantile(sorted, fraction) {
  if (!sorted.length) return NaN
  const place = fraction * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (place - below) * (sorted[above] - sorted[below])
}

/** Return ticks of a logarithmic axis whose positions are log10, as Plotly takes them. */
export function logTicks(low, high, most = 6) {
  const first = Math.ceil(low - 1e-9)
  const last = Math.floor(high + 1e-9)
  let positions = []
  if (last - first + 1 > 2) {
    const step = Math.ceil((last - first + 1) / most)
    for (let power = first; power <= last; power += step) positions.push(power)
  } else {
    const values = []
    for (const mantissas of [
      [1, 2, 3, 5],
      [1, 2, 5],
      [1, 3],
    ]) {
      values.length = 0
      for (let power = Math.floor(low) - 1; power <= last + 1; power++)
        for (const mantissa of mantissas) values.push(Math.log10(mantissa) + power)
      positions = values.filter(value => value >= low - 1e-9 && value <= high + 1e-9)
      if (positions.length <= most) break
    }
    if (positions.length < 2) positions = [low, high]
  }
  return {tickvals: positions, ticktext: positions.map(position => number(10 ** position))}
}

/** Return a random order of the first `count` numbers, the same every time. */
export function drawn(count, most) {
  const all = Int32Array.from({length: count}, (_, i) => i)
  if (count <= most) return all
  let seed = 20250101
  const random = () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  for (let i = 0; i < most; i++) {
    const j = i + Math.floor(random() * (count - i))
    ;[all[i], all[j]] = [all[j], all[i]]
  }
  return all.slice(0, most).sort()
}

/** Return a table as CSV that no spreadsheet takes for formulas. */
export function csv(columns) {
  const names = Object.keys(columns)
  const cell = value => {
    if (value == null || Number.isNaN(value)) return ""
    if (typeof value == "number") return String(value)
    const words = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
    return /[",\r\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words
  }
  const lines = [names.map(cell).join(",")]
  const count = names.length ? columns[names[0]].length : 0
  for (let i = 0; i < count; i++) lines.push(names.map(name => cell(columns[name][i])).join(","))
  return lines.join("\r\n") + "\r\n"
}

/** Return what is 1 and what is more, such as "3 runs". */
export function counted(count, noun) {
  return `${count} ${noun}${count == 1 ? "" : "s"}`
}
