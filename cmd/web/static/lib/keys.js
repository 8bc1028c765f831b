// Keys. j and k go through the rows of lists, Enter opens one, x selects one.
import { $, $$, h } from './dom.js'

const table = new Map() // keys → {doc, run}
let pending = ''
let timer

/** Binds a key, or two after each other ("g r"). doc is a line of the help. */
export function key(keys, doc, run) {
  table.set(keys, { doc, run })
}

/** All keys with what they do, for the help. */
export const bound = () => [...table].map(([keys, { doc }]) => ({ keys, doc }))

const typing = e => e.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(e.tagName) && !/^(checkbox|radio|button|submit)$/.test(e.type)

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target) || $('dialog[open]')) return
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
export const current = () => document.activeElement?.closest?.('[data-item]') ?? $('[data-item].current')

function move(by) {
  const rows = $$('[data-list] [data-item]').filter(row => row.offsetParent !== null)
  if (!rows.length) return
  const at = rows.indexOf(current())
  const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))]
  for (const row of $$('[data-item].current')) row.classList.remove('current')
  next.classList.add('current')
  const target = $('a[href], button, input', next) ?? next
  target.focus({ preventScroll: true })
  next.scrollIntoView({ block: 'nearest' })
}

function help() {
  const rows = bound().map(({ keys, doc }) => h('tr', {}, h('td', {}, keys.split(' ').map(k => h('kbd', {}, k))), h('td', {}, doc)))
  const box = h('dialog', { 'aria-labelledby': 'keys-title', class: 'keys' },
    h('h2', { id: 'keys-title' }, 'Keys'), h('table', {}, h('tbody', {}, rows)),
    h('form', { method: 'dialog', class: 'actions' }, h('button', { class: 'button' }, 'Close')))
  box.addEventListener('close', () => box.remove())
  document.body.append(box)
  box.showModal()
}

export function start() {
  document.addEventListener('keydown', pressed)
  key('j', 'The next row', () => move(1))
  key('k', 'The row before', () => move(-1))
  key('x', 'Select the row', () => $('input[type=checkbox]', current() ?? document.createElement('i'))?.click())
  key('?', 'This help', help)
}
