// The graph of the wiring: drawn from GET /v1/wiring, with the numbers of the lists below it, which are kept current.
import { get } from '../lib/api.js'
import { $, $$, h } from '../lib/dom.js'
import { number } from '../lib/format.js'
import { Picture, model, place } from '../lib/graph.js'
import { refreshEvery } from '../lib/regions.js'

const section = $('[data-graph]')
const canvas = $('[data-canvas]')
const about = $('[data-about]')
const picture = new Picture({ select: tell, open: node => about.querySelector('a') ? about.querySelector('a').click() : tell(node) })
const pages = {
  handler: n => `/handlers/${encodeURIComponent(n.name)}`, schedule: n => `/schedules/${encodeURIComponent(n.name)}`, hook: n => `/wiring/hooks/${encodeURIComponent(n.name)}`,
  type: n => `/events?type=${encodeURIComponent(n.name)}`, pattern: n => `/events?type=${encodeURIComponent(n.name)}`,
}
let version = ''

async function draw() {
  version = $('#list').dataset.version
  const graph = model(await get('/v1/wiring'), section.dataset.focusOn)
  if (!graph.nodes.size) return
  section.hidden = false
  const size = place(graph, Math.max(canvas.clientWidth * 1.15, 500))
  picture.draw(graph, size)
  if (!canvas.firstChild) canvas.append(...picture.elements)
  canvas.style.height = `${Math.round(Math.min(Math.max(picture.wantedHeight(), 180), Math.max(innerHeight * .66, 300), 760))}px`
  picture.fit(true)
  numbers()
}

// The numbers of the rows below, in the nodes.
function numbers() {
  for (const row of $$('#list [data-node]')) {
    const { node, health, minute, waits, running, retrying, dead } = row.dataset
    const parts = []
    if (dead > 0) parts.push(`${number(dead)} dead`)
    if (retrying > 0) parts.push(`${number(retrying)} retrying`)
    if (waits > 0) parts.push(`${number(waits)} waiting`)
    if (running > 0) parts.push(`${number(running)} running`)
    if (!parts.length) parts.push(`${number(minute)} a minute`)
    const mark = dead > 0 ? 'bad' : health === 'ok' ? (minute > 0 || running > 0 ? 'busy' : '') : 'warn'
    const idle = ['paused', 'disabled', 'left'].includes(health)
    picture.note(node, idle ? [health, ...parts.filter(p => !p.endsWith('minute'))].join(' · ') : parts.join(' · '), mark)
  }
}

// What is known of the selected node.
function tell(node) {
  about.hidden = !node
  if (!node) return
  const { item } = node
  const edges = picture.graph.edges
  const list = (title, ids) => ids.length && [h('h3', {}, title), h('ul', {}, [...new Set(ids)].slice(0, 30).map(id => h('li', {},
    h('button', { type: 'button', class: 'button quiet', onclick: () => picture.choose(picture.graph.nodes.get(id), true) }, picture.graph.nodes.get(id).name))))]
  const facts = { runs: item.do, on: item.on?.join(', '), when: item.when, 'order by': item.order_by, timeout: item.timeout, attempts: item.attempts > 1 ? item.attempts : null, path: item.path }
  about.replaceChildren(h('div', {},
    h('header', { class: 'row' }, h('h2', {}, node.name), h('span', { class: `tag ${node.kind}` }, node.kind), h('button', { type: 'button', class: 'button quiet end', 'aria-label': 'Close', onclick: () => picture.choose(null) }, '×')),
    item.description ? h('p', { class: 'muted' }, item.description) : '',
    item.own ? h('p', { class: 'muted' }, 'evrun’s own events') : '',
    h('dl', { class: 'facts' }, Object.entries(facts).filter(([, value]) => value).map(([name, value]) => [h('dt', {}, name), h('dd', { class: 'mono' }, value)])),
    h('p', { class: 'actions' },
      pages[node.kind] && h('a', { class: 'button', href: pages[node.kind](node) }, { handler: 'Open the handler', schedule: 'Open the schedule', hook: 'Its requests' }[node.kind] ?? 'Its events'),
      h('a', { class: 'button', href: `?focus=${encodeURIComponent(node.id)}` }, 'Only what is around it')),
    list('Comes from', edges.filter(e => e.to === node.id).map(e => e.from)),
    list('Goes to', edges.filter(e => e.from === node.id).map(e => e.to))))
}

section.addEventListener('click', event => {
  const how = event.target.closest('[data-zoom]')?.dataset.zoom
  if (how === 'fit') picture.fit()
  else if (how) picture.zoom(how === 'in' ? 1.25 : .8)
})
document.addEventListener('region', () => {
  if ($('#list').dataset.version === version) numbers()
  else draw().catch(() => {})
})
addEventListener('resize', () => picture.graph && picture.fit(true))
const form = $('[data-focus]')
form.elements.focus.addEventListener('change', () => form.requestSubmit())

draw().catch(problem => section.replaceChildren(h('p', { class: 'error' }, problem.message)))
refreshEvery($$('#list [data-node]').length > 300 ? 20000 : 5000, 'list')
