// A form for JSON, by its JSON Schema; where that says nothing, by the value itself.
import { $, $$, h } from './dom.js'
import { number, numberText, parse, pointer, typeOf, write } from './json.js'

const mostItems = 100 // of a list that have fields
const deepest = 10 // levels of fields

let serial = 0

/** A value to begin with: defaults, examples, and what is required. */
export function skeleton(schema, root = schema, depth = 0) {
  const s = resolve(schema, root)
  if (s.default !== undefined) return structuredClone(s.default)
  if (s.const !== undefined) return s.const
  if (Array.isArray(s.examples) && s.examples.length) return structuredClone(s.examples[0])
  if (Array.isArray(s.enum) && s.enum.length) return s.enum[0]
  switch (kindOf(s)) {
    case 'object': {
      const value = {}
      for (const name of depth < deepest ? s.required ?? [] : []) put(value, name, skeleton(s.properties?.[name] ?? {}, root, depth + 1))
      return value
    }
    case 'array': return []
    case 'number': return typeof s.minimum === 'number' ? s.minimum : 0
    case 'boolean': return false
    case 'string': return ''
  }
  return null
}

/** A schema without its references and with what allOf adds. */
function resolve(schema, root) {
  let s = schema
  for (let i = 0; i < 20 && s && typeof s === 'object' && typeof s.$ref === 'string' && s.$ref.startsWith('#'); i++) {
    const { $ref, ...more } = s
    const target = $ref === '#' ? root : $ref.slice(2).split('/').reduce((at, key) => at?.[decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')], root)
    s = { ...(typeof target === 'object' ? target : {}), ...more }
  }
  if (!s || typeof s !== 'object') return {}
  for (const part of Array.isArray(s.allOf) ? s.allOf : []) {
    const p = resolve(part, root)
    s = { ...p, ...s, properties: { ...p.properties, ...s.properties }, required: [...new Set([...(p.required ?? []), ...(s.required ?? [])])] }
  }
  return s
}

const typesOf = s => s.type === undefined ? [] : [s.type].flat()

/** The kind of field of a schema; empty where it does not say. */
function kindOf(s) {
  if (s.const !== undefined) return 'const'
  if (Array.isArray(s.enum)) return 'enum'
  const types = typesOf(s).filter(t => t !== 'null')
  if (types.length === 1) return types[0] === 'integer' ? 'number' : types[0]
  if (types.length > 1) return 'json'
  if (s.properties) return 'object'
  if (s.items) return 'array'
  return s.oneOf || s.anyOf ? 'json' : ''
}

const kindOfValue = value => ({ integer: 'number', null: 'json' })[typeOf(value)] ?? typeOf(value)

/** The form of a value in an element. change is called with the new value. */
export class Form {
  constructor(box, change) {
    this.box = box
    this.change = change
    this.schema = {}
  }

  /** Shows the fields of a value; undefined: there is none yet. */
  show(value, schema = this.schema) {
    this.value = value
    this.schema = schema ?? {}
    const focused = document.activeElement?.dataset?.field
    this.box.replaceChildren(this.field({ schema: this.schema, value, at: '', name: '', required: true, depth: 0, set: v => { this.value = v } }))
    if (focused !== undefined) $(`[data-field="${CSS.escape(focused)}"]`, this.box)?.focus()
  }

  /** Shows what is wrong: a list of {pointer, message}. Returns those that have no field. */
  mark(violations) {
    for (const slot of $$('[data-wrong]', this.box)) slot.textContent = ''
    for (const input of $$('[aria-invalid]', this.box)) input.removeAttribute('aria-invalid')
    return violations.filter(v => {
      const slot = $(`[data-wrong="${CSS.escape(v.pointer)}"]`, this.box)
      if (!slot) return true
      slot.textContent = v.message
      $(`[data-field="${CSS.escape(v.pointer)}"]`, this.box)?.setAttribute('aria-invalid', 'true')
      return false
    })
  }

  changed(rebuild) {
    this.change(this.value)
    if (rebuild) this.show(this.value)
  }

  /** The field of one value. f has schema, value, at (its pointer), name, required, depth and set. */
  field(f) {
    const s = resolve(f.schema, this.schema)
    let kind = kindOf(s) || (f.value === undefined ? 'json' : kindOfValue(f.value))
    const fits = f.value === undefined || kind === 'enum' || kind === 'const' || kind === 'json' || kindOfValue(f.value) === kind || (f.value === null && kind !== 'object' && kind !== 'array')
    if (!fits || f.depth > deepest) kind = 'json'
    const full = { ...f, s, id: `field-${++serial}` }
    if (kind === 'object') return this.object(full)
    if (kind === 'array') return this.list(full)
    return this.single(full, kind)
  }

  /** A label with a control, its description, and a place for what is wrong with it. */
  single(f, kind) {
    const { s, id } = f
    const set = v => { f.set(v); this.changed(false) }
    const common = { id, 'data-field': f.at, 'aria-describedby': `${id}-about`, 'aria-required': f.required ? 'true' : null }
    const control = {
      const: () => h('input', { ...common, readonly: true, value: JSON.stringify(s.const) }),
      enum: () => this.choice(common, f, s.enum, set),
      boolean: () => this.choice(common, f, [true, false], set),
      number: () => this.text(common, f, f.value === undefined || f.value === null ? '' : numberText(f.value), { inputmode: 'decimal' }, set, number),
      string: () => s.maxLength > 200 || /\n/.test(f.value ?? '')
        ? this.area(common, f.value ?? '', text => set(text === '' && !f.required ? undefined : text))
        : this.text(common, f, f.value ?? '', hints(s), set, text => text),
      json: () => this.area({ ...common, class: 'mono' }, f.value === undefined ? '' : write(f.value), (text, input) => {
        try {
          set(text.trim() === '' ? undefined : parse(text))
          input.removeAttribute('aria-invalid')
        } catch {
          input.setAttribute('aria-invalid', 'true')
        }
      }),
    }[kind]()
    return h('div', { class: 'field' },
      h('span', {}, h('label', { for: id }, f.name || 'Data'), needed(f), f.remove),
      control, this.about(f))
  }

  about({ s, id, at }) {
    const limits = [s.format, range(s)].filter(Boolean).join(', ')
    const text = [s.description, limits].filter(Boolean).join(' · ')
    return h('small', { id: `${id}-about`, class: 'about' }, text && h('span', { class: 'muted' }, text), h('span', { class: 'error', 'data-wrong': at, role: 'alert' }))
  }

  text(common, f, value, more, set, read) {
    return h('input', {
      ...common, ...more, type: 'text', value, autocomplete: 'off', spellcheck: 'false',
      oninput: event => {
        const text = event.target.value
        if (text === '') return set(f.required && typesOf(f.s).includes('null') ? null : f.required && read('') !== undefined ? '' : undefined)
        const v = read(text)
        event.target.toggleAttribute('aria-invalid', v === undefined)
        if (v === undefined) event.target.setAttribute('aria-invalid', 'true')
        else set(v)
      },
    })
  }

  area(common, value, input) {
    const area = h('textarea', { ...common, rows: Math.min(12, value.split('\n').length + 1), spellcheck: 'false', oninput: event => input(event.target.value, event.target) })
    area.value = value
    return area
  }

  choice(common, f, values, set) {
    const now = JSON.stringify(f.value)
    const known = values.some(v => JSON.stringify(v) === now)
    const options = values.map((v, i) => h('option', { value: i, selected: JSON.stringify(v) === now }, typeof v === 'string' ? v : JSON.stringify(v)))
    return h('select', { ...common, onchange: event => set(values[event.target.value]) },
      (!known || !f.required) && h('option', { value: '', selected: !known }, f.value === undefined ? '' : known ? '' : `${now}`), options)
  }

  object(f) {
    const { s, id } = f
    if (f.value === undefined || f.value === null) return this.absent(f, {})
    const value = f.value
    const names = [...new Set([...(s.required ?? []), ...Object.keys(s.properties ?? {}), ...Object.keys(value)])]
    const fields = names.map(name => this.field({
      schema: s.properties?.[name] ?? (typeof s.additionalProperties === 'object' ? s.additionalProperties : {}),
      value: Object.hasOwn(value, name) ? value[name] : undefined, at: pointer(f.at, name), name, depth: f.depth + 1, required: (s.required ?? []).includes(name),
      set: v => v === undefined ? delete value[name] : put(value, name, v),
      remove: !Object.hasOwn(s.properties ?? {}, name) && Object.hasOwn(value, name) && this.remover(name, () => delete value[name]),
    }))
    return this.group(f, [fields, s.additionalProperties !== false && this.adder(id, f, name => put(value, name, ''))])
  }

  list(f) {
    const { s } = f
    if (f.value === undefined || f.value === null) return this.absent(f, [])
    const list = f.value
    const fields = list.slice(0, mostItems).map((item, i) => this.field({
      schema: s.prefixItems?.[i] ?? s.items ?? {}, value: item, at: pointer(f.at, i), name: `${f.name || 'Element'} ${i + 1}`, required: true, element: true, depth: f.depth + 1,
      set: v => { list[i] = v === undefined ? null : v },
      remove: this.remover(`element ${i + 1}`, () => list.splice(i, 1)),
    }))
    const more = list.length > mostItems && h('p', { class: 'muted small' }, `${list.length - mostItems} more are in the JSON alone.`)
    const add = h('button', {
      type: 'button', class: 'button', 'data-field': `${f.at} add`, onclick: () => {
        list.push(s.items === undefined && list.length ? parse(write(list.at(-1))) : skeleton(s.items ?? {}, this.schema))
        this.changed(true)
      },
    }, `Add to ${f.name || 'the list'}`)
    return this.group(f, [fields, more, add])
  }

  group(f, content) {
    if (!f.name) return h('div', { class: 'fields', id: f.id }, content, this.about(f))
    return h('fieldset', { class: 'fields', id: f.id },
      h('legend', {}, f.name, needed(f), f.remove || (!f.required && this.remover(f.name, () => f.set(undefined)))),
      this.about(f), content)
  }

  absent(f, empty) {
    const make = () => {
      const value = skeleton(f.s, this.schema)
      f.set(typeOf(value) === typeOf(empty) ? value : empty)
      this.changed(true)
    }
    return h('div', { class: 'field' }, h('span', {}, f.name || 'Data', needed(f), f.remove),
      h('button', { type: 'button', class: 'button', 'data-field': f.at, onclick: make }, `Add ${f.name || 'data'}`), this.about(f))
  }

  remover(name, remove) {
    return h('button', { type: 'button', class: 'remove', 'aria-label': `Remove ${name}`, onclick: () => { remove(); this.changed(true) } }, '×')
  }

  /** A field for the name of another member. */
  adder(id, f, add) {
    const name = h('input', { id: `${id}-new`, type: 'text', 'data-field': `${f.at} new`, placeholder: 'name', autocomplete: 'off', spellcheck: 'false', 'aria-label': `Name of another field${f.name ? ` of ${f.name}` : ''}` })
    const put = () => {
      if (name.value === '' || Object.hasOwn(f.value, name.value)) return
      add(name.value)
      this.changed(true)
    }
    name.addEventListener('keydown', event => {
      if (event.key !== 'Enter') return
      event.preventDefault()
      put()
    })
    return h('div', { class: 'row adder' }, name, h('button', { type: 'button', class: 'button', onclick: put }, 'Add field'))
  }
}

/** Says that there must be a value. An element of a list always has one. */
const needed = f => f.required && f.name && !f.element && h('span', { class: 'required' }, ' required')

/** Sets a member, also one with a name such as __proto__. */
function put(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
}

function hints(s) {
  const about = { email: { inputmode: 'email' }, uri: { inputmode: 'url' }, 'date-time': { placeholder: '2026-11-27T08:00:00Z' }, date: { placeholder: '2026-11-27' }, time: { placeholder: '08:00:00Z' } }
  return about[s.format] ?? {}
}

function range(s) {
  const parts = []
  if (s.minimum !== undefined) parts.push(`at least ${s.minimum}`)
  if (s.exclusiveMinimum !== undefined) parts.push(`more than ${s.exclusiveMinimum}`)
  if (s.maximum !== undefined) parts.push(`at most ${s.maximum}`)
  if (s.exclusiveMaximum !== undefined) parts.push(`less than ${s.exclusiveMaximum}`)
  if (s.minLength > 1) parts.push(`at least ${s.minLength} characters`)
  if (s.maxLength !== undefined) parts.push(`at most ${s.maxLength} characters`)
  if (s.pattern !== undefined) parts.push(s.pattern)
  if (s.maxItems !== undefined) parts.push(`at most ${s.maxItems}`)
  return parts.join(', ')
}
