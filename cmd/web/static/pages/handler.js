// A handler: plots, what fails by its error, and the rest kept current.
import { lines, url } from '../lib/api.js'
import { $, h } from '../lib/dom.js'
import { number } from '../lib/format.js'
import { key } from '../lib/keys.js'
import { plots } from '../lib/plot.js'
import { refreshEvery } from '../lib/regions.js'

plots()
refreshEvery(5000)

key('p', 'Pause or resume the handler', () => $('[data-key="p"]')?.click())

const box = $('[data-errors]')
const handler = box.dataset.errors

function show(summary) {
  if (!summary.errors.length) {
    box.replaceChildren(h('p', { class: 'muted' }, summary.done ? 'No run of it is dead or retrying.' : 'Counting …'))
    return
  }
  const group = g => h('li', {},
    h('span', { class: 'count' }, number(g.count)),
    h('span', { class: 'text', title: g.example }, g.error),
    h('a', { href: url('/runs', { handler, state: ['dead', 'retrying'], where: g.where }) }, g.count === 1 ? 'See it' : 'See them'))
  box.replaceChildren(h('ul', { class: 'errors' }, summary.errors.map(group)),
    !summary.done && h('p', { class: 'muted small' }, `Counting: ${Math.round(summary.progress * 100)} %`) || '')
}

lines(url('/v1/runs/summary', { handler, state: ['dead', 'retrying'], limit: 10 }), {}, show).catch(problem => {
  box.replaceChildren(h('p', { class: 'error' }, problem.message))
})
