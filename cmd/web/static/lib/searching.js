// Lists that are searched for step by step: a page whose search has not ended goes on until it has enough rows. The server's pages have a table of #rows,
// and #status with a link [data-search-on] while there is more to look at.
import { $, $$ } from './dom.js'
import { localise } from './format.js'
import { page } from './regions.js'

let stopped = false

/** Searches on from where the page ends: adds the rows that the next pages have to this one. */
export async function searchOn(enough = 50) {
  stoppable(enough)
  for (let link = $('[data-search-on]'); link && !stopped; link = $('[data-search-on]')) {
    if ($$('#rows tr').length >= enough) return
    const next = await page(link.href).catch(() => null)
    if (!next || stopped) return
    const found = next.getElementById('rows')
    if (found && $('#rows')) $('#rows').append(...document.adoptNode(found).children)
    else if (found) $('#list').prepend(document.adoptNode(found.closest('table')))
    if (found) localise($('#rows'))
    const status = document.adoptNode(next.getElementById('status'))
    const count = $('[data-found]', status)
    if (count) count.textContent = String($$('#rows tr').length)
    else if ($$('#rows tr').length) $('.empty', status)?.remove()
    $('#status').replaceWith(status)
    stoppable(enough)
  }
}

function stoppable(enough) {
  const on = $('[data-search-on]')
  if (!on || on.role === 'button') return
  on.textContent = 'Stop'
  on.setAttribute('role', 'button')
  on.addEventListener('click', event => {
    event.preventDefault()
    stopped = !stopped
    on.textContent = stopped ? 'Search on' : 'Stop'
    if (!stopped) searchOn(enough)
  })
}
