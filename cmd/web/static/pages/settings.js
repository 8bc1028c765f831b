// The theme, new tokens, links for other devices, and another look of the doctor.
import { post } from '../lib/api.js'
import { toast } from '../lib/dialog.js'
import { $, $$, h } from '../lib/dom.js'
import { command } from '../lib/palette.js'
import { refresh } from '../lib/regions.js'
import { choose, theme } from '../lib/theme.js'

const choice = $('[data-theme-choice]')
choice.disabled = false
for (const radio of $$('input', choice)) {
  radio.checked = radio.value === theme()
  radio.addEventListener('change', () => choose(radio.value))
}

/** A dialog that stays until it is closed. */
function box(title, ...content) {
  const id = 'settings-dialog'
  const dialog = h('dialog', { 'aria-labelledby': id }, h('h2', { id }, title), ...content)
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
  return dialog
}

/** A secret that is shown once, with a button that copies it. */
function secret(label, text) {
  const field = h('input', { class: 'mono', readonly: true, value: text, 'aria-label': label, onfocus: () => field.select() })
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      toast('Copied')
    } catch { // only encrypted pages and those of this machine may
      field.focus()
      field.select()
      toast('It is selected: copy it with the keys of your system', 'problem')
    }
  }
  return h('div', { class: 'secret' }, field, h('button', { type: 'button', class: 'button primary', onclick: copy, autofocus: true }, 'Copy'))
}

const close = () => h('div', { class: 'actions' }, h('button', { type: 'button', class: 'button', onclick: event => event.target.closest('dialog').close() }, 'Close'))

const day = 24 * 60 * 60 * 1000
const lifetimes = [['90 days', 90], ['30 days', 30], ['7 days', 7], ['1 day', 1], ['1 year', 365], ['never', 0]]
const levels = [
  ['read', 'see everything'],
  ['operate', 'see everything, and step in: retry, cancel, pause, fire …'],
  ['admin', 'everything: also erase, prune, make tokens'],
  ['', 'only publish events'],
]

/** The rights that a form says. */
function rightsOf(data) {
  const level = data.get('level')
  const types = data.get('types').split(/[\s,]+/).filter(Boolean)
  const emit = data.get('emit') === 'all' ? ['emit'] : data.get('emit') === 'some' ? types.map(t => `emit ${t}`) : []
  return level === 'admin' ? ['admin'] : [level, ...emit].filter(Boolean)
}

function addToken() {
  const wrong = h('p', { class: 'error', role: 'alert', hidden: true })
  const types = h('label', { class: 'field', hidden: true }, h('span', {}, 'Types, or patterns such as order.>'), h('input', { name: 'types', class: 'mono', spellcheck: 'false', autocapitalize: 'off' }))
  const emit = h('select', { name: 'emit', onchange: () => { types.hidden = emit.value !== 'some' } },
    h('option', { value: '' }, 'none'), h('option', { value: 'some' }, 'of some types'), h('option', { value: 'all' }, 'of all types'))
  const publishes = h('label', { class: 'field' }, h('span', {}, 'Publish events'), emit)
  const level = event => {
    publishes.hidden = event.target.value === 'admin'
    if (event.target.value === '' && emit.value === '') emit.value = 'some'
    types.hidden = publishes.hidden || emit.value !== 'some'
  }
  const form = h('form', {},
    h('label', { class: 'field' }, h('span', {}, 'Name, without spaces: it stands in the audit trail'), h('input', { name: 'name', class: 'mono', autofocus: true, required: true, maxlength: 64, pattern: '[A-Za-z0-9][A-Za-z0-9._\\-]*', title: 'Letters and digits, and after the first also . _ and -', autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off' })),
    h('fieldset', { onchange: event => event.target.name === 'level' && level(event) }, h('legend', {}, 'It may'),
      levels.map(([value, text], i) => h('label', {}, h('input', { type: 'radio', name: 'level', value, checked: i === 0 }), text)),
      publishes, types),
    h('div', { class: 'row' },
      h('label', { class: 'field' }, h('span', {}, 'Expires after'), h('select', { name: 'days' }, lifetimes.map(([text, days]) => h('option', { value: days }, text)))),
      h('label', { class: 'field' }, h('span', {}, 'Rate of events, if any'), h('input', { name: 'rate', class: 'mono', placeholder: '100/s', size: 8 }))),
    wrong,
    h('div', { class: 'actions' }, h('button', { type: 'button', class: 'button', onclick: () => dialog.close() }, 'Cancel'), h('button', { class: 'button primary' }, 'Add the token')))
  const dialog = box('Add a token', form)
  form.addEventListener('submit', async event => {
    event.preventDefault()
    const data = new FormData(form)
    const days = Number(data.get('days'))
    try {
      const made = await post('/v1/tokens', {
        name: data.get('name'), rights: rightsOf(data), rate: data.get('rate').trim() || undefined,
        expires_at: days ? new Date(Date.now() + days * day).toISOString() : undefined,
      })
      dialog.close()
      box(`The token ${made.name}`, h('p', {}, `It is shown this once: only its hash is stored. A person signs in with it at ${location.origin}/sign-in; a program sends it as Authorization: Bearer TOKEN.`), secret(`The token ${made.name}`, made.token), close())
      refresh()
    } catch (problem) {
      wrong.textContent = problem.message
      wrong.hidden = false
    }
  })
}

async function linkDevice() {
  try {
    const link = await post('/v1/links', { next: '/' })
    box('Sign in another device', h('p', {}, `Open this link there. It works once, until ${new Date(link.expires_at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}, and signs in as you.`),
      secret('The link', link.url), close())
  } catch (problem) {
    toast(problem.message, 'problem')
  }
}

for (const [selector, title, run] of [
  ['[data-add-token]', 'Add a token', addToken],
  ['[data-link-device]', 'Sign in another device', linkDevice],
  ['[data-look-again]', 'Doctor: look again', () => refresh('doctor').then(() => toast('The doctor has looked again'))],
]) {
  const button = $(selector)
  if (!button) continue
  button.hidden = false
  button.addEventListener('click', run)
  command({ title, hint: 'Settings', run })
}
