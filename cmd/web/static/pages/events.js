// The list of events: new ones come in at the top, and a search goes on until it has a page full.
import { $ } from '../lib/dom.js'
import { refreshEvery } from '../lib/regions.js'
import { start } from '../lib/searching.js'

if ($('[data-current]')) refreshEvery(3000, 'list')
start()
