// JSON that keeps numbers as they are written: a browser's own numbers lose digits beyond 2^53.

const keeps = typeof JSON.rawJSON === 'function'

/** Whether this browser keeps all numbers of a text as they are. */
export const exact = text => keeps || !/\d{16,}|\d[.eE]\d{13,}/.test(text)

/** JSON.parse; numbers that the browser can't hold are kept as they are written. */
export function parse(text) {
  if (!keeps) return JSON.parse(text)
  return JSON.parse(text, (key, value, context) =>
    typeof value === 'number' && context?.source !== undefined && context.source !== String(value) ? JSON.rawJSON(context.source) : value)
}

/** A value as indented text. */
export const write = value => JSON.stringify(value, null, 2) ?? ''

const isRaw = value => keeps && JSON.isRawJSON(value)

/** The type of a value as JSON Schema names it. */
export function typeOf(value) {
  if (value === null) return 'null'
  if (typeof value === 'number' || isRaw(value)) return /^-?\d+$/.test(numberText(value)) ? 'integer' : 'number'
  return Array.isArray(value) ? 'array' : typeof value
}

/** A number as it was written. */
export const numberText = value => isRaw(value) ? value.rawJSON : String(value)

/** The number that a text is, or undefined. */
export function number(text) {
  text = text.trim()
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return undefined
  return String(Number(text)) === text || !keeps ? Number(text) : JSON.rawJSON(text)
}

/** A JSON pointer with one key more. */
export const pointer = (at, key) => `${at}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
