// An event is written by the form of its type, or as JSON: both show the same data. While it is written, a dry run says what would happen.
import { $, h, state } from '../lib/dom.js'
import { get, lines, post, Problem } from '../lib/api.js'
import { diff } from '../lib/diff.js'
import { toast } from '../lib/dialog.js'
import { Form, skeleton } from '../lib/form.js'
import { duration } from '../lib/format.js'
import { exact, parse, write } from '../lib/json.js'

const form = $('#emit')
const text = $('#json')
const { run, handler } = form?.dataset ?? {}
const largest = 200_000 // characters of data that has a form

const words = { run: ['succeeded', 'would run'], skip: ['skipped', 'would skip'], fail: ['failed', 'would fail'] }
const would = element => $('[data-would]').replaceChildren(element)

let schema = form?.dataset.schema ? JSON.parse(form.dataset.schema) : null
let type = form?.dataset.type ?? ''
const before = text?.value ?? ''
let touched = before !== ''
let timer
let asking = null
const fields = form && new Form($('[data-fields]'), value => {
  touched = true
  text.value = value === undefined ? '' : write(value)
  said('')
  check()
})

if (form) {
  if (!touched && type) begin()
  showFields()
  check()
  text.addEventListener('input', () => {
    touched = true
    showFields()
    check()
  })
  $('[data-format]').addEventListener('click', () => {
    try {
      text.value = write(parse(text.value))
      check()
    } catch { /* the error is shown */ }
  })
  form.elements.type?.addEventListener('change', chosen)
  for (const name of ['subject', 'id', 'source', 'time']) form.elements[name]?.addEventListener('input', check)
  form.addEventListener('submit', event => {
    event.preventDefault()
    send()
  })
  form.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      form.requestSubmit()
    }
  })
}

function said(problem) {
  $('#json-error').textContent = problem
  text.toggleAttribute('aria-invalid', problem !== '')
  if (problem) text.setAttribute('aria-invalid', 'true')
}

/** The data to begin with, of a type that was chosen. */
function begin() {
  const value = schema === null ? {} : skeleton(schema)
  text.value = value === null ? '' : write(value)
}

/** Makes the fields of the JSON text; keeps them as they are while it can't be read. */
function showFields() {
  const box = $('[data-fields]')
  if (text.value.length > largest || !exact(text.value)) {
    box.replaceChildren(h('p', { class: 'muted' }, text.value.length > largest ? 'There is too much data for a form.' : 'This browser can\'t keep all digits of a number here: edit the JSON.'))
    return
  }
  try {
    fields.show(text.value.trim() === '' ? undefined : parse(text.value), schema ?? {})
    said('')
  } catch (error) {
    said(`This is not JSON: ${error.message}`)
  }
}

/** Another type: its schema, and data to begin with unless some was written. */
async function chosen() {
  type = form.elements.type.value.trim()
  schema = null
  let known = null
  if (type) {
    try {
      known = await get(`/v1/types/${encodeURIComponent(type)}`)
      schema = known.schema ?? null
    } catch (problem) {
      if (problem.status !== 404) toast(problem.message, 'problem')
    }
  }
  $('[data-about]').textContent = known?.description ?? ''
  const url = new URL(location.href)
  url.searchParams.set('type', type)
  history.replaceState(null, '', url)
  if (!touched && type) begin()
  showFields()
  check()
}

/** The event in CloudEvents' structured mode; its data keeps its bytes. */
function written() {
  const attributes = { specversion: '1.0', type, source: '/dashboard' }
  for (const name of ['subject', 'id', 'source', 'time']) {
    const value = form.elements[name]?.value.trim()
    if (value) attributes[name] = value
  }
  const event = JSON.stringify(attributes)
  return new Blob([text.value.trim() === '' ? event : `${event.slice(0, -1)},"data":${text.value}}`], { type: 'application/cloudevents+json' })
}

const edited = () => new Blob([`{"data":${text.value}}`], { type: 'application/json' })

/** Asks what would happen, when nothing was written for a moment. */
function check() {
  showDiff()
  clearTimeout(timer)
  timer = setTimeout(async () => {
    asking?.abort()
    asking = new AbortController()
    try {
      await dryRun(asking.signal)
    } catch (error) {
      if (error.name !== 'AbortError') show(error)
    }
  }, 250)
}

function showDiff() {
  const box = $('[data-diff]')
  if (!box) return
  box.replaceChildren(diff(before, text.value.trimEnd()) ?? h('p', { class: 'muted' }, 'Nothing has changed yet.'))
}

async function dryRun(signal) {
  if (!type) return would(h('p', { class: 'muted' }, 'Choose a type.'))
  try {
    if (text.value.trim() !== '') parse(text.value)
  } catch {
    return would(h('p', { class: 'error' }, 'The JSON can\'t be read.'))
  }
  if (run) {
    if (text.value.trimEnd() === before) return would(h('p', { class: 'muted' }, 'Change something: a retry runs it as it is.'))
    await post(`/v1/runs/${encodeURIComponent(run)}/edit?dry_run=true`, edited(), { signal })
    fields.mark([])
    return would(h('p', {}, `The data fits. ${handler} gets an event with it.`))
  }
  const report = await post('/v1/explain', written(), { signal })
  fields.mark([])
  const matched = report.handlers.filter(one => one.matches)
  if (!matched.length) return would(h('p', {}, report.final ? 'No handler is wired to this type, and none is needed.' : `No handler matches ${type}. ${report.hint ?? ''}`))
  would(h('ul', { class: 'would' }, matched.map(reported)))
}

function reported(one) {
  const [kind, word] = words[one.would] ?? ['', one.would]
  const why = one.when && !one.when.error ? one.when.why ?? [] : []
  return h('li', {},
    h('a', { href: `/handlers/${encodeURIComponent(one.handler)}` }, one.handler), ' ', h('span', { class: `state state-${kind}` }, word), ' ', h('code', { class: 'muted' }, one.do),
    one.when && h('div', { class: 'small' }, h('code', {}, one.when.text), one.when.error ? h('span', { class: 'error' }, ` ${one.when.error}`) : ` is ${one.when.value}`,
      why.map(part => part.reads?.map(read => h('span', { class: 'muted' }, ` · ${read.name} is ${JSON.stringify(read.value)}`)))),
    one.errors?.map(error => h('div', { class: 'error small' }, error)),
    one.with && h('details', { class: 'small' }, h('summary', {}, 'With'), h('pre', {}, JSON.stringify(one.with, null, 2))),
    one.emits?.length ? h('div', { class: 'small muted' }, `emits ${one.emits.map(e => e.type).join(', ')}`) : null)
}

/** Shows why the event would be refused: violations beside their fields. */
function show(problem) {
  if (!touched && problem.status === 422) return would(h('p', { class: 'muted' }, 'Fill in what is required.'))
  const violations = problem instanceof Problem ? problem.body.violations ?? [] : []
  const rest = fields.mark(violations)
  would(h('div', {}, h('p', { class: 'error' }, problem.message), rest.length > 0 && h('ul', {}, rest.map(v => h('li', {}, h('code', {}, v.pointer || '/'), ` ${v.message}`)))))
}

async function send() {
  const button = $('button.primary', form)
  button.disabled = touched = true
  clearTimeout(timer)
  try {
    if (run) {
      const answer = await post(`/v1/runs/${encodeURIComponent(run)}/edit`, edited())
      location.href = `/events/${answer.after.seq}`
      return
    }
    await follow()
  } catch (problem) {
    show(problem)
    toast(problem.message, 'problem')
  } finally {
    button.disabled = false
  }
}

/** Publishes the event, and shows what it causes as it happens. */
async function follow() {
  const box = $('[data-result]')
  $('#result').hidden = false
  const title = h('p', {}, 'Sending …')
  const rows = h('tbody')
  const table = h('table', { class: 'table', hidden: true }, h('thead', {}, h('tr', {}, ['Handler', 'Event', 'State', 'Took', 'Why'].map(name => h('th', { scope: 'col' }, name)))), rows)
  box.replaceChildren(title, table)
  $('#result').scrollIntoView({ block: 'nearest' })
  const known = new Map()
  await lines('/v1/events?wait=60s', { method: 'POST', body: written() }, line => {
    if (line.receipt) {
      title.replaceChildren(line.receipt.duplicate ? 'An event with this source and id was accepted before: ' : 'Accepted: ', h('a', { href: `/events/${line.receipt.seq}` }, `#${line.receipt.seq}`))
    } else if (line.run) {
      table.hidden = false
      const { id, handler: name, seq, state: now, took_ms: took, error, reason } = line.run
      const row = h('tr', {}, h('td', {}, h('a', { href: `/runs/${encodeURIComponent(id)}` }, name)), h('td', {}, h('a', { href: `/events/${seq}` }, `#${seq}`)),
        h('td', {}, state(now)), h('td', {}, took === undefined ? '' : duration(took)), h('td', {}, error ?? reason ?? ''))
      known.get(id)?.replaceWith(row)
      if (!known.has(id)) rows.append(row)
      known.set(id, row)
    } else if (line.end) {
      const { matched, dead, cancelled, timeout } = line.end
      title.append(timeout ? '. It goes on.' : !matched ? '. No handler matched it.' : dead ? '. A run is dead.' : cancelled ? '. A run was cancelled.' : '. All its runs have ended.')
    } else if (line.status) {
      throw new Problem(line.status, line)
    }
  })
}
