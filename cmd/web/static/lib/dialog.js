// Questions and notes.
import { $, h } from './dom.js'

let serial = 0

/**
 * Asks before something is done, and resolves to true or false; with fields (elements), to an object of their values or null.
 * danger colours the button of what can't be undone.
 */
export function ask({ title, text = '', action = 'OK', danger = false, fields = [], content = null }) {
  return new Promise(resolve => {
    const id = `dialog-${++serial}`
    const form = h('form', { method: 'dialog' },
      h('h2', { id }, title),
      text && h('p', {}, text),
      content,
      fields,
      h('div', { class: 'actions' },
        h('button', { type: 'button', class: 'button', onclick: () => box.close() }, 'Cancel'),
        h('button', { class: danger ? 'button danger' : 'button primary', value: 'yes' }, action)))
    const box = h('dialog', { 'aria-labelledby': id }, form)
    box.addEventListener('close', () => {
      const yes = box.returnValue === 'yes'
      resolve(fields.length ? (yes ? Object.fromEntries(new FormData(form)) : null) : yes)
      box.remove()
    })
    document.body.append(box)
    box.showModal()
  })
}

/** Shows a note for some seconds: kind is done, or problem, which stays until it is closed. */
export function toast(text, kind = 'done') {
  const note = h('div', { class: `toast ${kind}` }, h('span', {}, text),
    h('button', { type: 'button', 'aria-label': 'Close this note', onclick: () => note.remove() }, '×'))
  $('[data-toasts]').append(note)
  if (kind === 'done') setTimeout(() => note.remove(), 5000)
}
