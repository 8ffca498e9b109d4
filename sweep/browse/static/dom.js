// Elements of the page. Texts of a store only ever become text, never HTML.

/**
 * Return an element.
 * @param {string} tag
 * @param {Object<string, any>} attributes - functions are listeners, by the name of their event
 * @param {...(Node|string|null)} children
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value == "function") node.addEventListener(name, value)
    else if (value === true) node.setAttribute(name, "")
    else if (value !== false && value != null) node.setAttribute(name, value)
  }
  node.append(...children.filter(child => child != null))
  return node
}

/** Replace what an element holds. */
export function fill(target, ...children) {
  target.replaceChildren(...children.filter(child => child != null))
}

/**
 * Return a labelled choice.
 * @param {string} label
 * @param {Array<[string, string, string?]>} options - value, words, and what they mean
 * @param {string} value
 * @param {(value: string) => void} changed
 */
export function select(label, options, value, changed) {
  const field = element("select", {"aria-label": label, change: () => changed(field.value)})
  for (const [own, words, title] of options) {
    field.append(element("option", {value: own, selected: own == value, title}, words))
  }
  return element("label", {class: "field"}, element("span", {}, label), field)
}

/** Return a button. */
export function button(words, clicked, attributes = {}) {
  return element("button", {type: "button", click: clicked, ...attributes}, words)
}

/** Say something to people who do not see the page. */
export function say(words) {
  document.getElementById("status").textContent = words
}

/** Show a problem, or none where there are no words. */
export function showProblem(words) {
  const place = document.getElementById("problem")
  place.textContent = words
  place.hidden = !words
}

/** Let the browser save a text or a picture. */
export function save(content, name, type) {
  const blob = content instanceof Blob ? content : new Blob([content], {type})
  const link = element("a", {href: URL.createObjectURL(blob), download: name})
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10000)
}
