// What every page does: keys, the palette, times that stay current, actions, the navigation of narrow windows.
import { start as times } from './lib/format.js'
import { start as actions } from './lib/actions.js'
import { start as keys, key } from './lib/keys.js'
import { start as palette } from './lib/palette.js'
import { $, $$ } from './lib/dom.js'

times()
actions()
keys()
palette()
menu()

for (const link of $$('.nav [data-go]')) {
  key(`g ${link.dataset.go}`, link.textContent.trim(), () => link.click(), 'Go to')
}

/** The navigation of narrow windows: it opens over the page, and closes again with Esc, beside it, or when the focus leaves it. */
function menu() {
  const button = $('[data-menu]')
  const nav = $('#nav')
  if (!button || !nav) return
  const isOpen = () => document.body.classList.contains('menu-open')
  const set = open => {
    if (open === isOpen()) return
    document.body.classList.toggle('menu-open', open)
    button.setAttribute('aria-expanded', String(open))
    if (open) ($('[aria-current]', nav) ?? $('a', nav)).focus()
  }
  button.addEventListener('click', () => set(!isOpen()))
  document.addEventListener('keydown', event => {
    if (event.key !== 'Escape' || !isOpen()) return
    set(false)
    button.focus()
  })
  document.addEventListener('click', event => {
    if (isOpen() && !event.target.closest('#nav, [data-menu]')) set(false)
  })
  nav.addEventListener('focusout', event => {
    if (event.relatedTarget && !nav.contains(event.relatedTarget) && event.relatedTarget !== button) set(false)
  })
}
