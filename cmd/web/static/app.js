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

for (const link of $$('.nav [data-go]')) {
  key(`g ${link.dataset.go}`, link.textContent.trim(), () => link.click())
}

const menu = $('[data-menu]')
menu?.addEventListener('click', () => {
  const open = document.body.classList.toggle('menu-open')
  menu.setAttribute('aria-expanded', String(open))
})
