// Saved views: a view is a URL of a page with its filters, and this browser keeps them.
import { $, h, icon } from './dom.js'
import { ask, toast } from './dialog.js'

const key = path => `evrun.views${path}`

function read(path) {
  try {
    return JSON.parse(localStorage.getItem(key(path)) ?? '[]').filter(v => typeof v?.name === 'string' && typeof v?.query === 'string')
  } catch {
    return []
  }
}

function write(path, list) {
  try {
    localStorage.setItem(key(path), JSON.stringify(list))
  } catch {
    toast('This browser keeps nothing for this page: the view could not be saved', 'problem')
  }
}

// The filters of a URL, without the place in the list.
function filters(search) {
  const query = new URLSearchParams(search)
  query.delete('after')
  for (const [name, value] of [...query]) if (!value) query.delete(name, value)
  query.sort()
  return query.toString()
}

/** Shows the views of this page in an element. usual are views that everybody has: [{name, query}]. */
export function views(element, usual = []) {
  if (!element) return
  const path = location.pathname
  const now = filters(location.search)
  const draw = () => {
    const own = read(path)
    const links = [...usual, ...own].map((v, i) => {
      const mine = i >= usual.length
      return h('li', {}, h('a', { class: 'chip', href: v.query ? `${path}?${v.query}` : path, 'aria-current': filters(v.query) === now ? 'true' : null }, mine && icon('star'), v.name),
        mine && filters(v.query) === now && h('button', { type: 'button', class: 'button quiet small', 'aria-label': `Forget the view ${v.name}`, onclick: () => {
          write(path, own.filter(o => o !== v))
          draw()
        } }, icon('cross')))
    })
    const known = [...usual, ...own].some(v => filters(v.query) === now)
    element.replaceChildren(h('ul', { class: 'chips', 'aria-label': 'Views' }, links,
      !known && now && h('li', {}, h('button', { type: 'button', class: 'chip', onclick: save }, icon('star'), 'Save this view'))))
  }
  async function save() {
    const answer = await ask({ title: 'Save this view', action: 'Save', fields: [h('label', { class: 'field' }, h('span', {}, 'Name'), h('input', { name: 'name', required: true, maxlength: 60, autofocus: true, autocomplete: 'off' }))] })
    const name = answer?.name?.trim()
    if (!name) return
    write(path, [...read(path).filter(v => v.name !== name), { name, query: now }])
    draw()
    $('a[aria-current]', element)?.focus()
  }
  draw()
}
