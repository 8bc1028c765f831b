// The list of events: new ones come in at the top, and a search goes on until it has a page full.
import { $, $$, h } from '../lib/dom.js'
import { localise } from '../lib/format.js'
import { page, refreshEvery } from '../lib/regions.js'

if ($('[data-current]')) refreshEvery(3000, 'list')

const enough = 50
let stopped = false

/** Searches on from where the page ends: adds the rows that the next pages have to this one. */
async function searchOn() {
  for (let link = $('[data-search-on]'); link && !stopped; link = $('[data-search-on]')) {
    if ($$('#rows tr').length >= enough) return
    const next = await page(link.href)
    if (!next || stopped) return
    const found = next.getElementById('rows')
    const before = $$('#rows tr').length
    if (found) {
      if ($('#rows')) $('#rows').append(...document.adoptNode(found).children)
      else $('#list').prepend(document.adoptNode(next.querySelector('#list table')))
      localise($('#rows'))
    }
    const status = document.adoptNode(next.getElementById('status'))
    const count = $('[data-found]', status)
    if (count) count.textContent = String(before + (found ? $$('#rows tr').length - before : 0))
    else if ($$('#rows tr').length) $('.empty', status)?.remove()
    $('#status').replaceWith(status)
    stoppable()
  }
}

function stoppable() {
  const on = $('[data-search-on]')
  if (!on) return
  on.textContent = 'Stop'
  on.setAttribute('role', 'button')
  on.addEventListener('click', event => {
    event.preventDefault()
    stopped = !stopped
    on.textContent = stopped ? 'Search on' : 'Stop'
    if (!stopped) searchOn()
  })
}

stoppable()
searchOn()
