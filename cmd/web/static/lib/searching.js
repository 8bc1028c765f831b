// Lists that are searched for step by step: a page whose search has not ended goes on until it has a page full of rows more. The server's pages have a table
// with #rows in #list, and #status with a link [data-search-on] while there is more to look at.
import { $, $$ } from './dom.js'
import { localise } from './format.js'
import { page, seen } from './regions.js'

const pageful = 50
let searching = false

/** Searches on from where the page ends: the rows that the next pages have are added to this one. */
async function searchOn() {
  const enough = $$('#rows tr').length + pageful
  searching = true
  for (let link = offered(); link && searching; link = offered()) {
    await seen()
    const next = await page(link.href).catch(() => null)
    if (!next) break
    if (!searching) return
    add(next)
    if ($$('#rows tr').length >= enough) break
  }
  searching = false
  offered()
}

/** Adds the rows of another page, and puts its status in place of this one's. */
function add(next) {
  const rows = next.getElementById('rows')
  const status = document.adoptNode(next.getElementById('status'))
  if (rows && $('#rows')) {
    localise(rows)
    $('#rows').append(...document.adoptNode(rows).children)
  } else if (rows) {
    $('#list').prepend(document.adoptNode(next.querySelector('#list table')))
    localise($('#rows'))
  }
  const count = $$('#rows tr').length
  if (count) $('.empty', status)?.remove()
  if (!new URLSearchParams(location.search).get('after')) $('[data-first]', status)?.remove() // this is the first page
  if ($('[data-found]', status)) $('[data-found]', status).textContent = String(count)
  $('#status').replaceWith(status)
}

/** The link that searches on, if there is one; as a button it stops the search, or goes on with it. */
function offered() {
  const link = $('[data-search-on]')
  if (!link) return null
  link.textContent = searching ? 'Stop' : 'Search on'
  if (link.role !== 'button') {
    link.role = 'button'
    link.addEventListener('click', event => {
      event.preventDefault()
      if (searching) searching = false
      else searchOn()
      offered()
    })
  }
  return link
}

/** Goes on with the search of the page, if it has not ended. */
export function start() {
  if (offered()) searchOn()
}
