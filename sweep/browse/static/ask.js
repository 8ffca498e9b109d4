// Questions to the server, or to what a saved page has inside.

const MAX_KEPT = 80
const TYPES = {Float64Array, Int32Array, Uint16Array, Uint8Array}

const inside = document.getElementById("answers")
const saved = inside ? JSON.parse(inside.textContent) : null
const kept = new Map()

/** Whether the page is a file, which can answer nothing that is not inside. */
export const isSaved = saved !== null

/** An answer that tells what is wrong. */
export class Refusal extends Error {}

/** Forget all answers, because the store has changed. */
export function forget() {
  kept.clear()
}

/** Return the path of a question. */
function pathOf(name, query, study) {
  const words = new URLSearchParams()
  for (const key of Object.keys(query).sort()) {
    if (query[key] !== "" && query[key] != null) words.append(key, query[key])
  }
  return `${study}/${name}?${words}`
}

/** Replace packed arrays by arrays of JavaScript, everywhere in an answer. */
function unpacked(value) {
  if (Array.isArray(value)) return value.map(unpacked)
  if (value === null || typeof value != "object") return value
  if (value.base64 !== undefined) {
    const letters = atob(value.base64)
    const bytes = new Uint8Array(letters.length)
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i)
    const array = new TYPES[value.type](bytes.buffer)
    array.shape = value.shape
    return array
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unpacked(part)]))
}

/**
 * Return the answer to a question.
 * @param {string} name
 * @param {Object<string, any>} query
 * @param {number} study - 0, or 1 for the second of two
 */
export async function ask(name, query = {}, study = 0) {
  const path = pathOf(name, query, study)
  if (!kept.has(path)) {
    if (kept.size >= MAX_KEPT) kept.delete(kept.keys().next().value)
    kept.set(path, isSaved ? fromFile(path) : fromServer(path))
  }
  const answer = await kept.get(path)
  if (answer.error) {
    // it may be otherwise the next time
    kept.delete(path)
    throw new Refusal(answer.error)
  }
  return answer
}

async function fromFile(path) {
  if (!(path in saved)) return {error: "this file does not hold that; sweep browse STORE does"}
  return unpacked(saved[path])
}

async function fromServer(path) {
  try {
    const response = await fetch(`answers/${path}`)
    if (response.ok) return unpacked(await response.json())
    return {error: `the server answered ${response.status} ${response.statusText}`}
  } catch {
    return {error: "the server does not answer"}
  }
}

/** Ask how far the sweep has come; nothing of it is kept. */
export async function askHead() {
  return isSaved ? unpacked(saved["0/head?"]) : fromServer("0/head?")
}
