// The handlers: the list is kept current, and filters act at once.
import { $ } from '../lib/dom.js'
import { refreshEvery } from '../lib/regions.js'

const form = $('[data-filters]')
form?.addEventListener('change', event => { if (event.target.tagName === 'SELECT') form.requestSubmit() })
refreshEvery(document.querySelectorAll('.handlers tr').length > 200 ? 15000 : 5000) // many rows take a while to be shown
