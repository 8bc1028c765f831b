// Texts compared line by line.
import { h } from './dom.js'

const most = 2000 // lines of a text that are compared
const around = 3 // lines that are shown around a difference

const split = text => text === '' ? [] : text.split('\n')

/** The lines of two texts as [mark, text], where the mark is a blank, - or +. */
export function lines(before, after) {
  let a = split(before)
  let b = split(after)
  if (a.length > most || b.length > most) return [...a.map(text => ['-', text]), ...b.map(text => ['+', text])]
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  const all = a.slice(0, start).map(text => [' ', text])
  const rest = a.slice(a.length - end).map(text => [' ', text])
  a = a.slice(start, a.length - end)
  b = b.slice(start, b.length - end)
  // length[i][j] is that of the longest common subsequence of what is left of both.
  const width = b.length + 1
  const length = new Uint16Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i * width + j] = a[i] === b[j] ? length[(i + 1) * width + j + 1] + 1 : Math.max(length[(i + 1) * width + j], length[i * width + j + 1])
    }
  }
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      all.push([' ', a[i++]])
      j++
    } else if (j === b.length || (i < a.length && length[(i + 1) * width + j] >= length[i * width + j + 1])) {
      all.push(['-', a[i++]])
    } else {
      all.push(['+', b[j++]])
    }
  }
  return [...all, ...rest]
}

/** An element that shows how two texts differ, or null if they don't. */
export function diff(before, after) {
  const all = lines(before, after)
  const near = new Set()
  let changed = 0
  all.forEach(([mark], i) => {
    if (mark === ' ') return
    changed++
    for (let j = i - around; j <= i + around; j++) near.add(j)
  })
  if (!changed) return null
  const shown = []
  all.forEach(([mark, text], i) => {
    if (near.has(i)) shown.push(h({ '-': 'del', '+': 'ins' }[mark] ?? 'span', {}, `${mark} ${text}\n`))
    else if (near.has(i - 1) || i === 0) shown.push(h('span', { class: 'muted' }, '  …\n'))
  })
  return h('pre', { class: 'diff', tabindex: '0', 'aria-label': `${changed} changed lines` }, shown)
}
