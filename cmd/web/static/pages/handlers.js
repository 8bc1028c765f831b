// The handlers: the list is kept current, and filters act at once.
import { $ } from '../lib/dom.js'
import { refreshEvery } from '../lib/regions.js'

const form = $('[data-filters]')
form?.addEventListener('change', event => { if (event.target.tagName === 'SELECT') form.requestSubmit() })
refreshEvery(5000)
