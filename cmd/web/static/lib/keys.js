// Keys. j and k go through the rows of lists ([data-list] with [data-item]), Enter opens one, x selects one.
import { $, $$, h } from './dom.js'

const table = new Map() // keys → {doc, run, group}
let pending = ''
let timer

/** Binds a key, or two after each other ("g r"). doc is a line of the help; group is its heading there. */
export function key(keys, doc, run, group = 'On this page') {
  table.set(keys, { doc, run, group })
}

/** All keys with what they do, for the help. */
export const bound = () => [...table].map(([keys, { doc, group }]) => ({ keys, doc, group }))

const off = 'evrun.keys' // in the browser's storage: "off" for those whose speech or assistive programs press single keys

function enabled() {
  try {
    return localStorage.getItem(off) !== 'off'
  } catch {
    return true
  }
}

const typing = e => e.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(e.tagName) && !/^(checkbox|radio|button|submit|range)$/.test(e.type)

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented || $('dialog[open]')) return
  if (typing(event.target)) {
    if (event.key === 'Escape' && event.target.tagName !== 'SELECT') event.target.blur() // the keys work again
    return
  }
  if (!enabled()) return
  clearTimeout(timer)
  const keys = pending ? `${pending} ${event.key}` : event.key
  pending = ''
  const hit = table.get(keys) ?? table.get(event.key)
  if (hit) {
    event.preventDefault()
    hit.run(event)
  } else if ([...table.keys()].some(k => k.startsWith(`${event.key} `))) {
    pending = event.key
    timer = setTimeout(() => { pending = '' }, 1500)
  }
}

/** The row that is current: the one with the focus, or marked. */
export const current = () => document.activeElement?.closest?.('[data-list] [data-item]') ?? $('[data-list] [data-item].current')

function move(by) {
  const rows = $$('[data-list] [data-item]').filter(row => row.offsetParent !== null)
  if (!rows.length) return
  const at = rows.indexOf(current())
  const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))]
  for (const row of $$('[data-item].current')) row.classList.remove('current')
  next.classList.add('current')
  const target = $('a[href]', next) ?? $('button, input', next) ?? next // Enter opens it, and x ticks its box
  target.focus({ preventScroll: true })
  const top = $('.top')?.offsetHeight ?? 0
  const place = next.getBoundingClientRect()
  if (place.top < top || place.bottom > innerHeight) next.scrollIntoView({ block: 'center' })
}

function help() {
  const groups = Map.groupBy ? Map.groupBy(bound(), b => b.group) : grouped(bound())
  const parts = ['Everywhere', 'On this page', 'Go to'].filter(name => groups.has(name)).map(name => h('section', {}, h('h3', {}, name), h('table', {}, h('tbody', {},
    groups.get(name).map(({ keys, doc }) => h('tr', {}, h('td', {}, keys.split(' ').map(k => h('kbd', {}, k))), h('td', {}, doc)))))))
  const box = h('dialog', { 'aria-labelledby': 'keys-title', class: 'keys' }, h('h2', { id: 'keys-title' }, 'Keys'), h('div', { class: 'keys-groups' }, parts),
    h('form', { method: 'dialog', class: 'actions' },
      h('label', { class: 'row' }, h('input', { type: 'checkbox', checked: enabled(), onchange: event => set(event.target.checked) }), ' Single keys do this'),
      h('button', { class: 'button primary', autofocus: true }, 'Close')))
  box.addEventListener('click', event => event.target === box && box.close())
  box.addEventListener('close', () => box.remove())
  document.body.append(box)
  box.showModal()
}

function grouped(list) {
  const groups = new Map()
  for (const b of list) groups.set(b.group, [...groups.get(b.group) ?? [], b])
  return groups
}

function set(on) {
  try {
    if (on) localStorage.removeItem(off)
    else localStorage.setItem(off, 'off')
  } catch { /* the storage is off: single keys stay on */ }
}

export function start() {
  document.addEventListener('keydown', pressed)
  key('j', 'The next row', () => move(1), 'Everywhere')
  key('k', 'The row before', () => move(-1), 'Everywhere')
  key('x', 'Select the row', () => $('input[type=checkbox]', current() ?? document.createElement('i'))?.click(), 'Everywhere')
  key('f', 'To the filters', () => $('.filters input:not([type=hidden]), .filters select')?.focus(), 'Everywhere')
  key(']', 'The next page of the list', () => $('a[rel=next]')?.click(), 'Everywhere')
  key('?', 'This help', help, 'Everywhere')
}
