// An event: while its runs go on, what came of it is kept current.
import { $ } from '../lib/dom.js'
import { current, key } from '../lib/keys.js'
import { command } from '../lib/palette.js'
import { refresh } from '../lib/regions.js'

let following = false

/** Asks again as long as something goes on. */
async function follow() {
  if (following) return
  following = true
  while ($('[data-going]')) {
    await new Promise(done => setTimeout(done, $('[data-large]') ? 10000 : 1500))
    if (!document.hidden) await refresh('accounts', 'chain')
  }
  following = false
}

follow()
document.addEventListener('region', follow) // somebody may have retried a run

// Of the handler that is current, or of the first one that can.
const press = selector => ($(selector, current() ?? document) ?? $(selector))?.click()

key('r', 'Retry the run, or run the handler again', () => press('.account [data-post]'))
key('e', 'Edit the event, and run or emit it again', () => press('.account a[href^="/emit"], .head a[href^="/emit"]'))
if ($('.head a[href^="/emit"]')) command({ title: 'Edit this event and emit it again', hint: 'Event', run: () => $('.head a[href^="/emit"]').click() })
