// The view: everything that a person has chosen. It is the address, so that a link shows it again.

const listeners = []
let defaults = {}

/** What is chosen; texts, and for some keys objects or lists. */
export const view = {}

const AS_JSON = new Set(["fixed", "brush"])
const AS_LIST = new Set(["runs", "columns"])

function parsed(words) {
  const chosen = {}
  for (const [key, value] of new URLSearchParams(words)) {
    if (!(key in defaults)) continue
    try {
      chosen[key] = AS_JSON.has(key)
        ? JSON.parse(value)
        : AS_LIST.has(key)
          ? value.split(",").filter(Boolean)
          : value
    } catch {
      // a link that was cut leaves its defaults
    }
  }
  return chosen
}

function written(key) {
  const value = view[key]
  return AS_JSON.has(key)
    ? JSON.stringify(value)
    : AS_LIST.has(key)
      ? value.join(",")
      : String(value)
}

/** Return the part of the address that says what differs from the defaults. */
export function address() {
  const words = new URLSearchParams()
  for (const key of Object.keys(defaults)) {
    const before = AS_JSON.has(key)
      ? JSON.stringify(defaults[key])
      : AS_LIST.has(key)
        ? defaults[key].join(",")
        : String(defaults[key])
    if (written(key) != before) words.append(key, written(key))
  }
  return `#${words}`
}

function take(chosen) {
  Object.assign(view, structuredClone(defaults), chosen)
}

/** Begin with what the address says, and with defaults for the rest. */
export function begin(given) {
  defaults = given
  take(parsed(location.hash.slice(1)))
  window.addEventListener("popstate", () => {
    take(parsed(location.hash.slice(1)))
    tell(new Set(Object.keys(defaults)))
  })
}

/**
 * Choose something.
 * @param {Object<string, any>} changes
 * @param {boolean} isStep - whether the back button undoes it
 */
export function choose(changes, isStep = true) {
  const changed = new Set()
  for (const [key, value] of Object.entries(changes)) {
    if (JSON.stringify(view[key]) == JSON.stringify(value)) continue
    view[key] = value
    changed.add(key)
  }
  if (!changed.size) return
  if (address() != (location.hash || "#"))
    history[isStep ? "pushState" : "replaceState"](null, "", address())
  tell(changed)
}

/** Take what the page itself has chosen; nothing needs to be drawn anew. */
export function adopt(changes) {
  Object.assign(view, changes)
  history.replaceState(null, "", address())
}

/** Call `listener` with the names of what has changed. */
export function onChange(listener) {
  listeners.push(listener)
}

function tell(changed) {
  for (const listener of listeners) listener(changed)
}
