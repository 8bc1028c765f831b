// Elements, made without HTML: a text is always a text.

/** The first element that fits a selector, or null. */
export const $ = (selector, root = document) => root.querySelector(selector)

/** All elements that fit a selector. */
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)]

const SVG = 'http://www.w3.org/2000/svg'

/**
 * Makes an element. A property that begins with "on" is a listener, "class" and names with a dash are attributes, true is an empty attribute, and null and
 * false are left out; "dataset" and "style" are objects. Children are elements, texts, numbers, or lists of these.
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children)
}

/** h for elements of SVG. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children)
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (name === 'dataset') Object.assign(element.dataset, value)
    else if (name === 'style') Object.assign(element.style, value)
    else element.setAttribute(name, value === true ? '' : value)
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child)
  }
  return element
}

/** A picture of icons.svg. */
export function icon(name) {
  return svg('svg', { class: 'icon', 'aria-hidden': 'true', focusable: 'false' }, svg('use', { href: `${new URL('../icons.svg', import.meta.url).pathname}#${name}` }))
}

/** The badge of a run's state. */
export const state = name => h('span', { class: `state state-${name}` }, name)
