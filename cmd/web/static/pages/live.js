// The page Live: the newest events with their runs, or the newest changes of runs, as they come.
//
// The table has 100 rows at most. A row that is not needed any more is written anew and put at the top, so a page that is open for hours makes no new
// elements. What comes is gathered, and shown at most seven times a second, or less often while more come than anybody can read. While somebody reads (scrolled down, a row with the focus, the pointer in motion
// over the rows) nothing moves: what comes is counted, and the newest 100 of it are kept.
import { $, $$, h } from '../lib/dom.js'
import { get, url } from '../lib/api.js'
import { brief, visible } from '../lib/brief.js'
import { number } from '../lib/format.js'
import { key } from '../lib/keys.js'
import { command } from '../lib/palette.js'
import { page } from '../lib/regions.js'
import { follow, laterThan } from '../lib/stream.js'

const most = 100 // rows, and what waits to be shown
const pace = n => n > 40 ? 400 : 140 // ms between two changes of the table, after one with so many new rows
const chips = 6 // of the runs of an event

const body = $('[data-live]')
const ofRuns = body?.dataset.rows === 'runs'
const asked = new URLSearchParams(location.search)
const filter = Object.fromEntries(['type', 'where', 'source', 'chain', 'handler', 'state', 'label'].map(name => [name, asked.getAll(name).filter(Boolean)]))

const clock = new Intl.DateTimeFormat('sv-SE', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 })
const day = new Intl.DateTimeFormat('sv-SE', { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
const time = text => {
  const t = new Date(text)
  return Date.now() - t < 12 * 3600_000 ? clock.format(t).replace(',', '.') : day.format(t)
}

// Rows: an item is what a row shows, and a row has its elements. They are written anew in place: elements and texts that are made for each event would
// wait for the garbage collector by the thousand.

const link = (props, ...content) => h('a', { tabindex: -1, ...props }, ...content)

/** An element whose text and attributes can be changed. It knows what they are. */
function field(element, text = element.appendChild(document.createTextNode(''))) {
  const has = {}
  return {
    element,
    write(value) {
      if (has.text !== value) text.data = has.text = value
    },
    set(name, value) {
      if (has[name] !== value) element.setAttribute(name, has[name] = value)
    },
  }
}

const eventRows = {
  make() {
    const no = field(link()), type = field(link({ class: 'plain' })), data = field(h('code')), rest = field(h('span')), when = field(h('time'))
    const runs = h('td', { class: 'runs' }, rest.element)
    const tr = h('tr', {}, h('td', { class: 'no' }, no.element), h('td', { class: 'type' }, type.element), h('td', { class: 'data' }, data.element), runs, h('td', { class: 'time' }, when.element))
    return { tr, no, type, data, runs, rest, when, chips: [] }
  },
  fill(row, item) {
    const type = visible(item.type)
    row.no.set('href', `/events/${item.key}`)
    row.no.write(`#${item.key}`)
    row.type.set('href', `/live?type=${encodeURIComponent(item.type)}`)
    row.type.set('title', `Only ${type}`)
    row.type.write(type)
    row.data.write(item.data)
    row.when.set('datetime', item.time)
    row.when.set('title', `${item.time}, from ${visible(item.source)}`)
    row.when.write(time(item.time))
    this.change(row, item)
  },
  /** Writes the runs: those that need somebody first, and a number of those that have no place. */
  change(row, item) {
    const runs = [...item.runs.values()].sort((a, b) => urgent(a.state) - urgent(b.state))
    for (let i = 0; i < Math.max(row.chips.length, Math.min(runs.length, chips)); i++) {
      const run = i < chips ? runs[i] : undefined
      const chip = row.chips[i] ??= chipIn(row)
      chip.set('class', run ? `chip run-${run.state}` : 'none')
      if (!run) continue
      chip.set('href', `/runs/${encodeURIComponent(run.id)}`)
      chip.set('title', `${run.handler}: ${run.state}${run.why ? `, ${run.why}` : ''}`)
      chip.name.write(run.handler)
      chip.state.write(`: ${run.state}`)
    }
    const more = runs.slice(chips)
    const bad = more.filter(r => r.state === 'dead').length
    row.rest.write(more.length ? `+${more.length}${bad ? `, ${bad} dead` : ''}` : '')
  },
}

function chipIn(row) {
  const name = document.createTextNode(''), state = field(h('span', { class: 'sr' }))
  const chip = field(link({}, name, state.element), name)
  row.rest.element.before(chip.element)
  return Object.assign(chip, { name: chip, state })
}

const urgent = state => ['dead', 'retrying', 'running', 'waiting'].indexOf(state) + 1 || 9

const runRows = {
  make() {
    const no = field(link({ class: 'plain' })), run = field(link()), type = field(h('span', { class: 'muted' })), state = field(h('span')), why = field(h('td', { class: 'why' })), when = field(h('time'))
    const tr = h('tr', {}, h('td', { class: 'no' }, no.element), h('td', { class: 'run' }, run.element, ' ', type.element), h('td', { class: 'state-of' }, state.element), why.element, h('td', { class: 'time' }, when.element))
    return { tr, no, run, type, state, why, when }
  },
  fill(row, item) {
    row.no.set('href', `/events/${item.seq}`)
    row.no.write(`#${item.seq}`)
    row.run.set('href', `/runs/${encodeURIComponent(item.key)}`)
    row.run.write(item.handler)
    row.type.write(visible(item.type))
    this.change(row, item)
  },
  change(row, item) {
    row.state.set('class', `state state-${item.state}`)
    row.state.write(item.state)
    row.why.write(item.why)
    row.when.set('datetime', item.time)
    row.when.set('title', item.time)
    row.when.write(item.time ? time(item.time) : '')
  },
}

const kind = ofRuns ? runRows : eventRows
const table = { rows: [], items: new Map(), waiting: [], dirty: new Set(), missed: 0 } // rows: the newest first; items: by key, shown or waiting

function eventItem(e, text) {
  const runs = early.get(e.seq) ?? new Map()
  early.delete(e.seq)
  if (laterThan(e.seq, newestSeq)) newestSeq = e.seq
  return { key: e.seq, type: e.type, source: e.source, time: e.time, data: brief(e, text), runs }
}

const runItem = r => ({ key: r.id, seq: r.seq, handler: r.handler, type: r.type, ...changeOf(r) })
const changeOf = r => ({ state: r.state, why: visible((r.error ?? r.reason ?? '').slice(0, 300)), time: r.finished_at ?? r.started_at ?? '' })

/** Puts an item into the table, or what changes one that is there. */
function add(item) {
  const known = table.items.get(item.key)
  if (known) {
    Object.assign(known, item, { row: known.row })
    table.dirty.add(known)
  } else {
    table.items.set(item.key, item)
    table.waiting.push(item)
    if (table.waiting.length > most) table.items.delete(table.waiting.shift().key)
    if (held) table.missed++
    seen++
  }
  soon()
}

/** A changed run belongs to its event's row, or is a row. */
function run(r) {
  if (ofRuns) return add(runItem(r))
  if (panel.shows === r.seq) panel.soon()
  const item = table.items.get(r.seq)
  const change = { id: r.id, handler: r.handler, ...changeOf(r) }
  if (item) {
    item.runs.set(r.id, change)
    table.dirty.add(item)
    return soon()
  }
  if (!laterThan(r.seq, newestSeq)) return // its event is not shown any more
  const runs = early.get(r.seq) ?? new Map()
  early.set(r.seq, runs.set(r.id, change))
  if (early.size > most) early.delete(early.keys().next().value)
}

// Runs whose events have not come yet: what is read when the stream opens (catchUpRuns) may be newer than what the stream has sent.
const early = new Map() // seq → runs by id
let newestSeq = '0'

let timer = 0
let shown = 0 // when the table was last changed
let fresh = 0 // rows that came in then
function soon() {
  if (!timer) timer = setTimeout(show, Math.max(0, shown + pace(fresh) - performance.now()))
}

/** Shows what has come. Rows that are there are current even while nothing moves. */
function show() {
  timer = 0
  shown = performance.now()
  fresh = held ? 0 : table.waiting.length
  if (!held && table.waiting.length) {
    const top = document.createDocumentFragment()
    for (const item of table.waiting) {
      const row = table.rows.length < most ? kind.make() : table.rows.pop()
      if (row.item) drop(row.item)
      row.item = item
      item.row = row
      table.rows.unshift(row)
      row.tr.dataset.item = item.key
      row.tr.className = ''
      kind.fill(row, item)
      table.dirty.delete(item)
      top.prepend(row.tr)
    }
    body.prepend(top)
    table.waiting = []
    table.missed = 0
    $('[data-empty]').hidden = true
    $('[data-kept]').hidden = table.rows.length < most
    reachable()
  }
  for (const item of table.dirty) {
    if (item.row) kind.change(item.row, item)
  }
  table.dirty.clear()
  sayHeld()
}

function drop(item) {
  table.items.delete(item.key)
  table.dirty.delete(item)
  item.row = null
}

/** Takes all rows away: the ones that follow don't continue them. */
function clear() {
  newestSeq = '0'
  for (const row of table.rows) {
    drop(row.item)
    row.item = null
    row.tr.remove()
  }
  table.rows = []
  for (const item of table.waiting) table.items.delete(item.key)
  table.waiting = []
}

/** The key Tab comes to the first row alone, and j and k go on from there. */
function reachable() {
  for (const a of $$('a[tabindex="0"]', body)) a.tabIndex = -1
  const first = $('a', body)
  if (first) first.tabIndex = 0
}

// Holding: nothing moves while somebody reads.

let held = '' // why
let scrolled = false
let moved = -Infinity // when the pointer last moved over the rows
let paused = false

function hold() {
  const before = held
  held = paused ? 'Paused' : scrolled ? 'Held, since you have scrolled' : body.contains(document.activeElement) ? 'Held at this row; Esc goes on'
    : performance.now() - moved < 1500 ? 'Held under the pointer' : ''
  if (before === held) return
  if (!held) soon()
  else sayHeld()
}

function sayHeld() {
  const note = $('[data-held]')
  const more = table.missed
  note.hidden = !held || !more
  if (!note.hidden) $('span', note).textContent = `${held}: ${number(more)} new${more > most ? `, the last ${most} are kept` : ''}.`
}

/** Lets the rows move again, and goes to the newest. */
function release() {
  moved = -Infinity
  if (body.contains(document.activeElement)) document.activeElement.blur()
  for (const row of $$('tr.current', body)) row.classList.remove('current')
  if (scrolled) scrollTo({ top: 0 })
  scrolled = false
  if (paused) pause()
  hold()
}

// What the stream is doing.

let seen = 0
let rates = []

function say(text, kind = '') {
  const at = $('[data-state]')
  if (at.textContent !== text) at.textContent = text
  at.className = kind
}

function stateChanged({ name, status, detail, wait }) {
  const why = detail || (status ? `HTTP ${status}` : 'evrun does not answer')
  switch (name) {
    case 'live': return say('Live', 'good')
    case 'connecting': return say('Connecting …')
    case 'paused': return say('Paused', 'warn')
    case 'hidden': return say('Waiting until the tab is seen')
    case 'reconnecting': return say(wait < 400 ? 'Reconnecting …' : `Reconnecting: ${why}`, 'warn')
    case 'ended': return say(status === 401 ? 'Signed out: reload the page to sign in' : `Ended: ${why}`, 'bad')
  }
}

function tick() {
  hold()
  rates.push(seen)
  seen = 0
  if (rates.length > 3) rates.shift()
  const rate = rates.reduce((a, b) => a + b, 0) / rates.length
  const text = paused || rate === 0 ? '' : `${rate < 10 ? rate.toFixed(1) : number(rate)} ${ofRuns ? 'runs' : 'events'} a second`
  const at = $('[data-rate]')
  if (at.textContent !== text) at.textContent = text
}

function pause() {
  paused = !paused
  paused ? stream.pause() : stream.resume()
  const button = $('[data-pause]')
  button.setAttribute('aria-pressed', String(paused))
  $('span', button).textContent = paused ? 'Resume' : 'Pause'
  hold()
}

/** Shows the newest events after a long time, instead of all that came meanwhile; the stream continues after them. */
async function catchUp(last) {
  if (ofRuns) return last // the runs are asked for when the stream is open
  const { events, next } = await newest()
  const fresh = events.filter(([e]) => laterThan(e.seq, last))
  if (next && fresh.length === events.length) clear() // there may be others between
  for (const [e, text] of fresh.reverse()) add(eventItem(e, text))
  return fresh.length ? fresh.at(-1)[0].seq : last
}

async function newest() {
  const answer = await fetch(url('/v1/events', { ...filter, limit: most }), { headers: { Accept: 'application/x-ndjson' } })
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
  const info = JSON.parse(answer.headers.get('Evrun-Page') ?? '{}')
  const lines = (await answer.text()).split('\n').filter(Boolean)
  return { events: lines.map(text => [JSON.parse(text), text]), next: info.next }
}

/** Reads the newest runs: those that changed while no stream was open come by no other way. */
async function catchUpRuns() {
  try {
    const { runs } = await get('/v1/runs', { ...filter, limit: ofRuns ? most : 1000 })
    for (const r of runs.reverse()) run(r)
  } catch { /* the next time that the stream is opened */ }
}

// The panel: one event beside the list, as its page shows it.

const panel = {
  element: $('[data-panel]'),
  shows: '', // its seq
  type: '',
  timer: 0,
  soon() {
    this.timer ||= setTimeout(() => {
      this.timer = 0
      if (this.shows) this.load(this.shows)
    }, 400)
  },
  async open(seq) {
    const anew = this.shows !== seq
    this.shows = seq
    if (anew) this.type = table.items.get(seq)?.type ?? ''
    for (const tr of $$('tr[aria-current]', body)) tr.removeAttribute('aria-current')
    $(`tr[data-item="${CSS.escape(seq)}"]`, body)?.setAttribute('aria-current', 'true')
    if (anew) this.fill(seq, h('p', { class: 'muted' }, 'Loading …'))
    keep(seq)
    await this.load(seq)
    if (anew) this.element.focus({ preventScroll: true })
  },
  async load(seq) {
    const found = await page(`/events/${seq}`).catch(() => null)
    if (this.shows !== seq) return
    this.type ||= $('main h1', found ?? document.createElement('i'))?.lastChild.data.trim() ?? ''
    const parts = found ? $$('main > .two, main > #accounts', found).map(part => document.adoptNode(part)) : [h('p', { class: 'muted' }, 'This event can’t be shown: it may be gone.')]
    for (const part of parts) part.removeAttribute('data-region') // it is not in the server's page
    this.fill(seq, ...parts, h('p', {}, h('a', { href: `/events/${seq}#chain` }, 'What it caused')))
  },
  fill(seq, ...parts) {
    const top = this.element.scrollTop
    this.element.replaceChildren(h('header', {}, h('h2', {}, h('a', { href: `/events/${seq}` }, `#${seq}`), ' ', visible(this.type)),
      h('button', { type: 'button', class: 'button quiet end', 'aria-label': 'Close the event', onclick: () => this.close() }, 'Close ', h('kbd', {}, 'Esc'))), ...parts)
    this.element.hidden = false
    this.element.scrollTop = top
    document.body.classList.add('panel-open')
  },
  close() {
    if (!this.shows) return false
    const seq = this.shows
    this.shows = ''
    this.element.hidden = true
    document.body.classList.remove('panel-open')
    const row = $('tr[aria-current]', body)
    row?.removeAttribute('aria-current')
    if (this.element.contains(document.activeElement) || document.activeElement === document.body) $(`tr[data-item="${CSS.escape(seq)}"] a`, body)?.focus({ preventScroll: true })
    keep('')
    return true
  },
}

/** The URL has the event that is open. */
function keep(seq) {
  const at = new URL(location.href)
  if (seq) at.searchParams.set('open', seq)
  else at.searchParams.delete('open')
  history.replaceState(null, '', at)
}

// Beginning.

let stream

/** Takes over the rows that the server rendered. */
function adopt() {
  const items = $$('tr', body).map(tr => {
    const text = name => $(name, tr)?.textContent.trim() ?? ''
    const at = $('time', tr)?.dateTime ?? ''
    if (ofRuns) return { key: tr.dataset.item, seq: text('.no').slice(1), handler: text('.run a'), type: text('.run .muted'), state: text('.state'), why: text('.why'), time: at }
    const runs = $$('.chip', tr).map(a => ({ id: decodeURIComponent(a.pathname.slice('/runs/'.length)), handler: a.firstChild.data, state: text('.sr') && $('.sr', a).textContent.slice(2), why: '' }))
    return { key: tr.dataset.item, type: text('.type a'), source: '', time: at, data: text('.data code'), runs: new Map(runs.map(r => [r.id, r])) }
  })
  body.replaceChildren()
  if (!ofRuns && items.length) newestSeq = items[0].key
  for (const item of items.reverse()) add(item)
  show()
}

function begin() {
  adopt()
  seen = 0
  const params = { ...filter, runs: !ofRuns, after: body.dataset.live }
  stream = follow({
    params, run, catchUp,
    event: (e, text) => { if (!ofRuns) add(eventItem(e, text)) },
    open: catchUpRuns,
    gap: ({ reason, after }) => {
      if (after === undefined) return catchUpRuns()
      clear()
      say(`Something is missing: ${reason}`, 'warn')
    },
    failed: ({ failed, failure }) => say(`The condition can’t be evaluated for ${number(failed)}: ${failure}`, 'warn'),
    state: stateChanged,
  })
  setInterval(tick, 1000)
  new IntersectionObserver(([at]) => {
    scrolled = !at.isIntersecting && at.boundingClientRect.top < 0
    hold()
  }, { rootMargin: '40px 0px 0px 0px' }).observe($('[data-top]'))
  body.addEventListener('pointermove', () => {
    moved = performance.now()
    hold()
  })
  body.addEventListener('focusin', hold)
  body.addEventListener('focusout', () => setTimeout(hold))
  body.addEventListener('click', event => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
    const tr = event.target.closest('tr')
    const a = event.target.closest('a')
    if (!tr || a && !a.pathname.startsWith('/events/') || !a && String(getSelection()) !== '') return
    event.preventDefault()
    panel.open(ofRuns ? $('.no', tr).textContent.slice(1) : tr.dataset.item)
  })
  $('[data-held] button').addEventListener('click', release)
  const button = $('[data-pause]')
  button.hidden = false
  button.addEventListener('click', pause)
  key('p', 'Pause the stream, and resume it', pause)
  command({ title: 'Pause or resume the stream', run: pause })
  document.addEventListener('keydown', event => {
    if (event.key !== 'Escape' || event.defaultPrevented || $('dialog[open]')) return
    if (!panel.close()) release()
  })
  if (/^\d+$/.test(asked.get('open') ?? '')) panel.open(asked.get('open'))
}

if (body) begin()
