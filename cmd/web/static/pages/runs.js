// The list of runs: counts and groups of errors that arrive while they are counted, actions on what is selected, and saved views.
import { $, $$, h, icon } from '../lib/dom.js'
import { lines } from '../lib/api.js'
import { number } from '../lib/format.js'
import { key } from '../lib/keys.js'
import { refreshEvery, seen } from '../lib/regions.js'
import { views } from '../lib/views.js'

const card = $('[data-summary]')
const mayOperate = 'mayOperate' in document.body.dataset
const selection = card ? JSON.parse(card.dataset.selection) : {}
const states = selection.state ?? []
let total = null // of what matches, once it is counted
let counting
let watched

views($('[data-views]'), [{ name: 'Failed today', query: 'state=dead&since=today' }, { name: 'Running for long', query: 'state=running&until=10m' }])
if ($('[data-running], [data-resume]') || sessionStorage.getItem('evrun.batch')) watching()
if ($('[data-current]')) refreshEvery(3000, 'list')
if ($('[data-search-on]')) import('../lib/searching.js').then(m => m.start())
if (card) count()

function watching() {
  watched ??= import('../lib/batch.js').then(m => m.watch(count))
}

/** Does an action to a selection, after a look at it. */
async function batch(asked) {
  watching()
  if (await (await import('../lib/batch.js')).batch({ ...asked, done: count })) tick(false)
}

/** Counts what matches. The counts come while they grow. */
async function count() {
  counting?.abort()
  const mine = counting = new AbortController()
  for (let tries = 0; tries < 5; tries++) {
    try {
      let last
      await seen() // millions of runs take seconds
      if (counting !== mine) return
      await lines(`/v1/runs/summary?${card.dataset.summary}`, { signal: mine.signal }, line => {
        last = line
        if (counting === mine) show(line)
      })
      if (last?.done || counting !== mine) return
      throw new Error('the connection broke')
    } catch (problem) {
      if (problem.name === 'AbortError') return
      $('[data-counting]').textContent = `not counted: ${problem.message}`
      if (problem.status && problem.status < 500 && problem.status !== 429) return
      await new Promise(wake => setTimeout(wake, 1000 * 2 ** tries)) // a daemon that stops answers 503
    }
  }
}

function show(line) {
  total = line.done ? line.count : null
  $('[data-total]').textContent = (line.done ? '' : '≥ ') + number(line.count)
  $('[data-total-words]').textContent = line.count === 1 ? 'run matches' : 'runs match'
  $('[data-counting]').textContent = line.done ? '' : `counted ${Math.floor(100 * line.progress)} % of the journal`
  const bar = $('[data-bar]')
  bar.hidden = line.done
  bar.value = line.progress
  for (const { name, count } of line.states) {
    const place = $(`.states [data-state="${CSS.escape(name)}"]`)
    if (place) place.textContent = number(count)
  }
  keepFocus($('[data-groups]'), groups(line.errors))
  keepFocus($('[data-facets]'), [facet('Handlers', 'handler', line.handlers), facet('Types', 'type', line.types)])
  $('[data-parts]').hidden = !$('[data-parts] h2')
  chosen()
}

/** Puts new children in place; the focus stays on the element with the same data-focus. */
function keepFocus(parent, children) {
  const focus = parent.contains(document.activeElement) ? document.activeElement.dataset.focus : null
  const open = $('details', parent)?.open
  parent.replaceChildren(...children.filter(Boolean))
  if (open && $('details', parent)) $('details', parent).open = true
  if (focus) $(`[data-focus="${CSS.escape(focus)}"]`, parent)?.focus({ preventScroll: true })
}

/** This page with another value of a filter. */
function filtered(name, value) {
  const query = new URLSearchParams(location.search)
  query.delete('after')
  query.set(name, value)
  return `?${query}`
}

const few = 6

/** The errors that runs have, as groups that differ in more than numbers and names. */
function groups(list) {
  if (!list.length) return []
  const rows = list.map(group)
  const table = rows => h('table', { class: 'table cards groups' },
    h('thead', {}, h('tr', {}, h('th', { scope: 'col', class: 'number' }, 'Runs'), h('th', { scope: 'col' }, 'Error'), h('th', { scope: 'col' }, 'Handlers'), h('th', { scope: 'col' }, h('span', { class: 'sr' }, 'Actions')))),
    h('tbody', {}, rows))
  return [h('h2', {}, 'By error'), table(rows.slice(0, few)),
    rows.length > few && h('details', {}, h('summary', {}, `${rows.length - few} more`), table(rows.slice(few)))]
}

function group(g) {
  const fits = action => mayOperate && (!states.length || states.every(s => fitting(action).includes(s)))
  const act = (action, text, picture) => h('button', { type: 'button', class: 'button', dataset: { focus: `${action} ${g.error}` }, 'aria-label': `${text}: the ${number(g.count)} runs with ${g.error}`,
    onclick: () => batch({ action, selection: { ...selection, where: g.where } }) }, picture && icon(picture), text)
  return h('tr', {},
    h('td', { class: 'number', 'data-label': 'Runs' }, number(g.count)),
    h('td', { class: 'wide' }, h('a', { class: 'message', href: filtered('where', g.where), title: g.example, dataset: { focus: g.error } }, g.error || '(empty)')),
    h('td', { class: 'small', 'data-label': 'Handlers' }, g.handlers.slice(0, 3).map(x => x.name).join(', ') + (g.handlers.length > 3 ? ` and ${g.handlers.length - 3} more` : '')),
    h('td', { class: 'acts' }, h('div', {}, fits('retry') && act('retry', 'Retry', 'retry'), fits('drop') && act('drop', 'Drop'))))
}

function facet(title, name, list) {
  if (list.length < 2) return null
  const link = c => h('li', {}, h('a', { class: 'chip', href: filtered(name, c.name), dataset: { focus: `${name} ${c.name}` } }, c.name || '(deleted)', h('span', { class: 'count' }, number(c.count))))
  return h('section', { 'aria-label': title }, h('h2', {}, title), h('ul', { class: 'chips' }, list.slice(0, 12).map(link)),
    list.length > 12 && h('p', { class: 'small muted' }, `and ${list.length - 12} more`))
}

/** The states that an action is for. */
const fitting = action => $(`[data-act="${action}"]`).dataset.fits.split(' ')

/** The runs that are selected by hand; none: all that match are meant. */
const ticked = () => $$('#rows .tick input:checked')

/** Says what the actions are about, and offers those that can be done to it. */
function chosen() {
  const rows = ticked()
  const all = $('[data-all]')
  if (all) {
    const boxes = $$('#rows .tick input')
    all.checked = rows.length > 0 && rows.length === boxes.length
    all.indeterminate = rows.length > 0 && rows.length < boxes.length
  }
  const of = rows.length ? [...new Set(rows.map(box => box.closest('tr').dataset.state))] : states
  for (const button of $$('[data-act]')) {
    const fits = fitting(button.dataset.act)
    button.hidden = of.length > 0 && !of.some(s => fits.includes(s))
    const verb = { retry: 'Retry', cancel: 'Cancel', drop: 'Drop', rerun: 'Run again' }[button.dataset.act]
    $('span', button).textContent = rows.length ? `${verb} ${number(rows.length)}` : button.dataset.act === 'rerun' ? 'Run all again' : `${verb} all`
    button.disabled = !rows.length && total === 0
  }
  const text = $('[data-chosen]')
  if (!text) return
  text.hidden = !rows.length
  text.replaceChildren(...rows.length
    ? [`${number(rows.length)} selected. `, h('button', { type: 'button', class: 'button quiet small', onclick: () => tick(false) }, total === null ? 'All that match instead' : `All ${number(total)} instead`)]
    : [])
}

function tick(on) {
  for (const box of $$('#rows .tick input')) box.checked = on
  chosen()
}

document.addEventListener('change', event => {
  if (event.target.matches('[data-all]')) tick(event.target.checked)
  else if (event.target.matches('#rows .tick input')) chosen()
})
document.addEventListener('region', () => {
  chosen()
  if ($('[data-running], [data-resume]')) watching()
})
document.addEventListener('click', event => {
  const button = event.target.closest?.('[data-act]')
  if (button) act(button.dataset.act)
})

function act(action) {
  const run = ticked().map(box => box.value)
  const fits = fitting(action)
  const of = run.length ? { run, state: [...new Set(ticked().map(box => box.closest('tr').dataset.state))].filter(s => fits.includes(s)) } : { ...selection }
  if (!run.length && states.length) of.state = states.filter(s => fits.includes(s))
  batch({ action, selection: of })
}

if (mayOperate && card) {
  for (const [keys, action, doc] of [['R', 'retry', 'Retry what is selected, or all that match'], ['C', 'cancel', 'Cancel what is selected, or all that match'], ['D', 'drop', 'Drop what is selected, or all that match']]) {
    key(keys, doc, () => {
      const button = $(`[data-act="${action}"]`)
      if (!button.hidden && !button.disabled) act(action)
    })
  }
}
chosen()
