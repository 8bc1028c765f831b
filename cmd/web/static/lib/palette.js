// The palette: goes to any page, handler, schedule, type, event or run, and runs commands, by a few letters.
import { $, h } from './dom.js'
import { key } from './keys.js'

const commands = []

/** Adds a command of the page: {title, run, hint}. */
export const command = c => commands.push({ hint: 'This page', weight: 3, ...c })

const most = 30 // entries that are shown
let known = [] // what the API knew
let asked = 0 // when

// Loaded when the palette is opened for the first time: pages are light without.
let score, near, far, named
async function load() {
  if (named) return
  const [match, places] = await Promise.all([import('./match.js'), import('./places.js')])
  score = match.score
  near = places.near
  far = places.far
  named = places.named
}

/** The entries that fit a text, the best first. */
function fitting(text) {
  if (!named) return []
  const [first, last] = text.trim() ? named(text) : [[], []]
  const scored = []
  for (const entry of [...commands, ...near(), ...(text.trim() ? known : [])]) {
    const fit = score(entry.title, text)
    if (fit) scored.push([fit + (entry.weight ?? 0), entry])
  }
  scored.sort((a, b) => b[0] - a[0])
  const seen = new Set()
  return [...first, ...scored.map(([, entry]) => entry), ...last].filter(({ title, hint }) => !seen.has(`${title}\n${hint}`) && seen.add(`${title}\n${hint}`)).slice(0, most + last.length)
}

function open() {
  if ($('dialog[open]')) return
  let shown = []
  let chosen = 0
  const list = h('ul', { id: 'palette-list', role: 'listbox', 'aria-label': 'Places and commands' })
  const count = h('p', { class: 'sr', role: 'status' })
  const input = h('input', { type: 'text', role: 'combobox', 'aria-label': 'Go to', 'aria-controls': 'palette-list', 'aria-expanded': 'true', 'aria-autocomplete': 'list', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
    placeholder: 'A page, a handler, a type, #41, a text …' })
  const box = h('dialog', { class: 'palette', 'aria-label': 'Go to' }, input, list, count,
    h('p', { class: 'hints', 'aria-hidden': 'true' }, h('kbd', {}, '↑'), h('kbd', {}, '↓'), ' choose ', h('kbd', {}, 'Enter'), ' go ', h('kbd', {}, 'Esc'), ' close'))
  const choose = i => {
    list.children[chosen]?.setAttribute('aria-selected', 'false')
    chosen = i
    const option = list.children[chosen]
    option?.setAttribute('aria-selected', 'true')
    option?.scrollIntoView({ block: 'nearest' })
    if (option) input.setAttribute('aria-activedescendant', option.id)
    else input.removeAttribute('aria-activedescendant')
  }
  const search = () => {
    shown = fitting(input.value.replace(/^\//, '')) // some programs type the key that has opened it, too
    list.replaceChildren(...shown.map((entry, i) => h('li', { role: 'option', id: `palette-${i}`, 'aria-selected': 'false', onclick: event => pick(i, event) }, h('span', {}, entry.title), h('small', {}, entry.hint))))
    count.textContent = `${shown.length} found`
    choose(0)
  }
  const pick = (i, event) => {
    const entry = shown[i]
    if (!entry) return
    if (entry.path && (event.ctrlKey || event.metaKey)) return window.open(entry.path, '_blank', 'noopener')
    box.close()
    if (entry.path) location.href = entry.path
    else entry.run()
  }
  input.addEventListener('input', search)
  input.addEventListener('keydown', event => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key]
    if (by && shown.length) {
      event.preventDefault()
      choose(Math.abs(by) === 1 ? (chosen + by + shown.length) % shown.length : Math.max(0, Math.min(shown.length - 1, chosen + by)))
    } else if (event.key === 'Enter' && !event.isComposing) {
      event.preventDefault()
      if (named) return pick(chosen, event)
      load().then(() => { // somebody who types faster than the entries are loaded
        search()
        pick(0, event)
      })
    } else if (event.key === 'Tab') {
      event.preventDefault() // there is nothing else in it
    }
  })
  box.addEventListener('click', event => event.target === box && box.close()) // beside it
  box.addEventListener('close', () => box.remove())
  document.body.append(box)
  box.showModal()
  fill()

  async function fill() {
    await load()
    if (box.open) search()
    if (Date.now() - asked < 15_000) return
    asked = Date.now()
    known = await far()
    if (!box.open || !input.value.trim()) return
    const at = shown[chosen]
    search() // and what was chosen stays so
    choose(Math.max(0, chosen && shown.findIndex(entry => entry.title === at?.title && entry.hint === at.hint)))
  }
}

export function start() {
  if (!$('[data-palette]')) return // nobody is signed in
  key('/', 'Go to anything, run a command (Ctrl K, too)', open, 'Everywhere')
  $('[data-palette]').addEventListener('click', open)
  document.addEventListener('keydown', event => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'k') {
      event.preventDefault()
      open()
    }
  })
}
