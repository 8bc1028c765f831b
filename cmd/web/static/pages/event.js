// An event: while its runs go on, what came of it is kept current.
import { $ } from '../lib/dom.js'
import { current, key } from '../lib/keys.js'
import { command } from '../lib/palette.js'
import { refreshEvery } from '../lib/regions.js'

if ($('[data-going]')) refreshEvery($('[data-large]') ? 10000 : 2000, 'accounts', 'chain')

// Of the handler that is current, or of the first one that can.
const press = selector => ($(selector, current() ?? document) ?? $(selector))?.click()

key('r', 'Retry the run, or run the handler again', () => press('.account [data-post]'))
key('e', 'Edit the event, and run or emit it again', () => press('.account a[href^="/emit"], .head a[href^="/emit"]'))
if ($('.head a[href^="/emit"]')) command({ title: 'Edit this event and emit it again', hint: 'Event', run: () => $('.head a[href^="/emit"]').click() })
