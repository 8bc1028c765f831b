// The beginning of a payload on one line, made of the text as it came: its numbers keep their digits, and a megabyte is not written to show a line of it.

/** brief is the beginning of the data of an event, of about so many characters. text is the event in JSON, as the API writes it. */
export function brief(event, text, length = 240) {
  if (event.erasedat) return '(erased)'
  if (event.data_base64 !== undefined) return `(${Math.floor(event.data_base64.length * 3 / 4).toLocaleString('en-US')} bytes)`
  if (event.data === undefined) return ''
  const begin = text.indexOf(',"data":') + 8 // all other members are no objects, and in a text the quotes would be \"
  const whole = text.length - begin <= 8 * length
  const line = text.slice(begin, whole ? text.lastIndexOf('}') : begin + 8 * length).replace(/\s+/g, ' ')
  return copy(visible(line.length <= length ? line : `${line.slice(0, length)}…`))
}

/** copy is a text of its own: a part of a text otherwise keeps all of it in memory. */
const copy = text => JSON.parse(JSON.stringify(text))

/** visible is a text with its invisible characters, and those that reorder others, as escapes: what events.EscapeControl makes of it in Go. */
export function visible(text) {
  return text.replace(unseen, c => short[c] ?? c.split('').map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''))
}

const unseen = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu
const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
