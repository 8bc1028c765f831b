// What other files would do with recorded events: they are edited here, and compared by POST /v1/wiring/what-if.
import { post, url } from '../lib/api.js'
import { diff } from '../lib/diff.js'
import { $, $$, h } from '../lib/dom.js'
import { number } from '../lib/format.js'

const running = new Map($$('template[data-file]').map(t => [t.dataset.file, t.content.textContent.replace(/\n$/, '\n')]))
const main = running.keys().next().value
const texts = new Map(running)
const form = $('[data-what-if]')
const area = $('#text')
const file = form.elements.file
const result = $('[data-result]')

const changed = () => [...texts].filter(([path, text]) => running.get(path) !== text)

function show() {
  area.value = texts.get(file.value) ?? ''
  note()
}

function note() {
  const list = changed().map(([path]) => path)
  $('[data-changed]').textContent = list.length ? `Changed: ${list.join(', ')}` : 'All files are as they run.'
  $('[data-reset]').hidden = !list.length
}

area.addEventListener('input', () => {
  texts.set(file.value, area.value)
  note()
})
file.addEventListener('change', show)
$('[data-reset]').addEventListener('click', () => {
  texts.clear()
  for (const [path, text] of running) texts.set(path, text)
  for (const option of [...file.options]) if (!running.has(option.value)) option.remove()
  file.value = main
  show()
})

// A file that is opened takes the place of the one with its name, or of the wiring file if there is no other.
$('[data-open]').addEventListener('change', async event => {
  const files = [...event.target.files]
  for (const f of files) {
    const same = [...running.keys()].find(path => path === f.name || path.endsWith(`/${f.name}`))
    const path = same ?? (files.length === 1 && running.size === 1 ? main : f.name)
    if (!texts.has(path)) file.append(h('option', {}, path))
    texts.set(path, await f.text())
    file.value = path
  }
  event.target.value = ''
  show()
})

form.addEventListener('submit', async event => {
  event.preventDefault()
  const button = $('button.primary', form)
  button.disabled = true
  result.replaceChildren(h('p', { class: 'card', role: 'status' }, 'Comparing …'))
  try {
    const { limit, type, where } = form.elements
    const sent = changed()
    const answer = await post(url('/v1/wiring/what-if', { limit: limit.value, type: type.value.split(',').map(t => t.trim()), where: where.value }),
      { files: (sent.length ? sent : [[main, texts.get(main)]]).map(([path, text]) => ({ path, text })) })
    result.replaceChildren(...shown(answer, sent))
    result.scrollIntoView({ block: 'start' })
  } catch (problem) {
    result.replaceChildren(h('p', { class: 'card problem', role: 'alert' }, problem.message))
  } finally {
    button.disabled = false
  }
})

const events = n => `${number(n)} event${n === 1 ? '' : 's'}`

function shown(a, sent) {
  const findings = a.findings.length > 0 && h('section', { class: 'card' }, h('h2', {}, a.valid ? 'Warnings' : 'evrun would refuse these files'), h('ul', { class: 'findings' }, a.findings.map(finding)))
  const texts = sent.map(([path, text]) => [path, diff(running.get(path) ?? '', text)]).filter(([, d]) => d)
  const lines = texts.length > 0 && h('details', { class: 'card' }, h('summary', {}, 'The changed lines'), texts.map(([path, d]) => [h('h3', { class: 'mono' }, path), d]))
  if (!a.valid) return [findings, lines].filter(Boolean)
  const same = a.differ === 0 && a.by_handler.every(row => row.before && row.after)
  return [
    h('p', { class: `card ${same ? 'calm' : 'warning'}` }, verdict(a, same)),
    changes(a), counts(a), examples(a), findings, lines,
  ].filter(Boolean)
}

function verdict(a, same) {
  const since = a.since ? `, back to ${new Date(a.since).toLocaleString('sv-SE')}` : ''
  const of = `${events(a.compared)} compared${since}${a.more ? '; older ones were not' : ''}.`
  if (!a.compared) return 'The files are valid. No event was compared: none is recorded, or none fits.'
  if (same) return `Both would do the same. ${of}`
  const refused = a.refused.before !== a.refused.after ? ` ${events(a.refused.after)} would be refused; today ${number(a.refused.before)}.` : ''
  return `With ${events(a.differ)} something else would happen. ${of}${refused}`
}

function changes(a) {
  const kinds = [['Handlers', a.handlers], ['Schedules', a.schedules], ['Hooks', a.hooks], ['Types', a.types]]
  const rows = kinds.flatMap(([kind, c]) => ['added', 'changed', 'removed'].filter(how => c?.[how]).map(how => h('li', {}, `${kind} ${how}: `, h('span', { class: 'mono' }, c[how].join(', ')))))
  return rows.length > 0 && h('section', { class: 'card' }, h('h2', {}, 'What the files change'), h('ul', { class: 'findings' }, rows))
}

const cell = (label, before, after) => {
  const text = before === undefined ? `– → ${number(after)}` : after === undefined ? `${number(before)} → –` : before === after ? number(after) : `${number(before)} → ${number(after)}`
  return h('td', { class: before === after ? 'number' : 'number other', 'data-label': label }, text)
}

function counts(a) {
  const rows = a.by_handler.filter(r => !r.before || !r.after || r.differ > 0)
  if (!rows.length) return null
  return h('section', {}, h('h2', {}, 'By handler, today → then'), h('table', { class: 'table cards' },
    h('thead', {}, h('tr', {}, ['Handler', 'Gets', 'Would run', 'Would skip', 'Would fail', 'Differ'].map((t, i) => h('th', { scope: 'col', class: i ? 'number' : null }, t)))),
    h('tbody', {}, rows.map(r => h('tr', {},
      h('td', { class: 'wide' }, h('strong', {}, r.handler), r.was ? ` (was ${r.was})` : '', !r.before ? ' new' : !r.after ? ' removed' : ''),
      ['matches', 'run', 'skip', 'fail'].map((k, i) => cell(['Gets', 'Would run', 'Would skip', 'Would fail'][i], r.before?.[k], r.after?.[k])),
      h('td', { class: 'number', 'data-label': 'Differ' }, number(r.differ)))))))
}

function examples(a) {
  return a.differences.length > 0 && h('section', {}, h('h2', {}, 'Some of them'), h('table', { class: 'table cards' },
    h('thead', {}, h('tr', {}, ['Event', 'Handler', 'What'].map(t => h('th', { scope: 'col' }, t)))),
    h('tbody', {}, a.differences.map(d => h('tr', {},
      h('td', { class: 'no' }, h('a', { href: `/events/${d.seq}` }, `#${d.seq}`), ' ', h('small', { class: 'muted' }, d.type)),
      h('td', { 'data-label': 'Handler' }, d.handler ?? 'the event itself'),
      h('td', { class: 'wide mono' }, d.what.map(w => h('div', {}, w))))))))
}

function finding(f) {
  return h('li', {}, h('span', { class: `state state-${f.severity === 'error' ? 'failed' : 'retrying'}` }, f.severity), ' ',
    h('button', { type: 'button', class: 'button quiet mono', onclick: () => go(f) }, f.line ? `${f.file}:${f.line}` : f.file), ' ', f.message, f.hint ? h('span', { class: 'muted' }, ` ${f.hint}`) : '',
    f.source ? h('pre', {}, f.source) : '')
}

// Goes to the line of a finding.
function go(f) {
  if (!texts.has(f.file) || !f.line) return
  file.value = f.file
  show()
  const before = area.value.split('\n').slice(0, f.line - 1).join('\n')
  const start = before.length + (f.line > 1 ? 1 : 0)
  area.focus()
  area.setSelectionRange(start, start + (f.source ?? '').length)
  area.scrollTop = Math.max(0, (f.line - 6) * parseFloat(getComputedStyle(area).lineHeight))
}

form.hidden = false
show()
