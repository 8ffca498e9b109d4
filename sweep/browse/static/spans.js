// What axes and colours span: they stay as they are when fewer cases are shown.

const spans = new Map()

/** Return the ends of an axis or a scale: the widest of this name that were asked for. */
export function held(name, low, high) {
  const before = spans.get(name) ?? [Infinity, -Infinity]
  const ends = [Math.min(low, before[0]), Math.max(high, before[1])]
  spans.set(name, ends)
  return ends
}

/** Let axes and scales span what is shown from now on. */
export function release() {
  spans.clear()
}
