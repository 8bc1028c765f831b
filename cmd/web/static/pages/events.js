// The list of events: new ones come in at the top, and a search goes on until it has a page full.
import { $ } from '../lib/dom.js'
import { refreshEvery } from '../lib/regions.js'
import { start } from '../lib/searching.js'
import { views } from '../lib/views.js'

if ($('[data-current]')) refreshEvery(3000, 'list')
start()
views($('[data-views]'), [{ name: 'Last hour', query: 'since=1h' }, { name: 'evrun\'s own', query: 'type=evrun.>' }])
