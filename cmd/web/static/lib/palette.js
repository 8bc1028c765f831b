// The palette: goes to any page, and runs commands, by a few letters.
import { $, $$, h } from './dom.js'
import { key } from './keys.js'

const commands = []

/** Adds a command: {title, run, hint}. */
export const command = c => commands.push(c)

function entries() {
  const pages = $$('.nav a').map(a => ({ title: a.textContent.trim(), hint: 'Page', run: () => a.click() }))
  return [...pages, ...commands]
}

/** Whether all letters of a text come in a title, in order. */
function fits(title, text) {
  let at = 0
  for (const letter of text.toLowerCase()) {
    at = title.toLowerCase().indexOf(letter, at)
    if (at++ < 0) return false
  }
  return true
}

export function open() {
  let shown = []
  let chosen = 0
  const list = h('ul', { id: 'palette-list', role: 'listbox', 'aria-label': 'Places and commands' })
  const input = h('input', { type: 'text', role: 'combobox', 'aria-label': 'Go to', 'aria-controls': 'palette-list', 'aria-expanded': 'true', autocomplete: 'off', spellcheck: 'false', placeholder: 'Go to …' })
  const box = h('dialog', { class: 'palette', 'aria-label': 'Go to' }, input, list)
  const show = () => {
    list.replaceChildren(...shown.map((c, i) => h('li', { role: 'option', id: `palette-${i}`, 'aria-selected': String(i === chosen), onclick: () => pick(i) }, h('span', {}, c.title), c.hint && h('small', {}, c.hint))))
    input.setAttribute('aria-activedescendant', shown.length ? `palette-${chosen}` : '')
    list.children[chosen]?.scrollIntoView({ block: 'nearest' })
  }
  const search = () => {
    shown = entries().filter(c => fits(c.title, input.value.trim())).slice(0, 50)
    chosen = 0
    show()
  }
  const pick = i => {
    box.close()
    shown[i]?.run()
  }
  input.addEventListener('input', search)
  input.addEventListener('keydown', event => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (by && shown.length) {
      event.preventDefault()
      chosen = (chosen + by + shown.length) % shown.length
      show()
    } else if (event.key === 'Enter') {
      event.preventDefault()
      pick(chosen)
    }
  })
  box.addEventListener('close', () => box.remove())
  document.body.append(box)
  box.showModal()
  search()
}

export function start() {
  key('/', 'Go to a page, a handler, an event; run a command', open)
  $('[data-palette]')?.addEventListener('click', open)
  document.addEventListener('keydown', event => {
    if ((event.ctrlKey || event.metaKey) && event.key === 'k' && !$('dialog[open]')) {
      event.preventDefault()
      open()
    }
  })
}
