// The audit trail: what is done while the page is open comes in at the top.
import { $ } from '../lib/dom.js'
import { refreshEvery } from '../lib/regions.js'

if ($('[data-current]')) refreshEvery(4000, 'list')
