import assert from 'node:assert/strict'
import test from 'node:test'
import { lines } from '../static/lib/diff.js'
import { skeleton } from '../static/lib/form.js'
import { exact, number, numberText, parse, pointer, typeOf, write } from '../static/lib/json.js'

test('a skeleton has what the schema requires, with defaults, examples and constants', () => {
  const schema = {
    type: 'object', required: ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
    properties: {
      a: { type: 'string' }, b: { enum: ['x', 'y'] }, c: { const: 7 }, d: { type: 'integer', minimum: 3 }, e: { $ref: '#/$defs/e~1f' },
      f: { allOf: [{ type: 'object', required: ['x'], properties: { x: { type: 'boolean' } } }] }, g: { examples: [[1]] }, optional: { default: 1 },
    },
    $defs: { 'e/f': { type: ['array', 'null'] } },
  }
  assert.deepEqual(skeleton(schema), { a: '', b: 'x', c: 7, d: 3, e: [], f: { x: false }, g: [1] })
  assert.equal(skeleton(true), null)
  const odd = skeleton(JSON.parse('{"type": "object", "required": ["__proto__", "constructor"], "properties": {"__proto__": {"const": 1}}}'))
  assert.equal(JSON.stringify(odd), '{"__proto__":1,"constructor":null}')
})

test('a schema that requires itself ends', () => {
  const value = skeleton({ type: 'object', required: ['next'], properties: { next: { $ref: '#' } } })
  assert.ok(JSON.stringify(value).length < 1000)
  assert.equal(skeleton({ $ref: '#' }), null)
  assert.equal(skeleton({ $ref: '#/$defs/none' }), null)
})

test('numbers keep their digits, or the text is known to lose some', () => {
  for (const text of ['9007199254740993', '12345678901234567890', '1.10', '1e2', '-0.0', '0.1234567890123456789']) {
    if (typeof JSON.rawJSON === 'function') assert.equal(write(parse(`[${text}]`)).replace(/[[\]\s]/g, ''), text)
    else assert.equal(exact(text), text.length < 16) // a shorter one may be written in another way, and is the same number
    const n = number(text)
    if (typeof JSON.rawJSON === 'function') assert.equal(numberText(n), text)
  }
  for (const text of ['', '1.', '01', '+1', '0x1', 'NaN', '1 2']) assert.equal(number(text), undefined, text)
  assert.equal(typeOf(number('12')), 'integer')
  assert.equal(typeOf(number('1.5')), 'number')
})

test('a pointer escapes its keys', () => assert.equal(pointer(pointer('', 'a/b'), '~'), '/a~1b/~0'))

test('a diff gives both texts back', () => {
  let seed = 7
  const random = n => (seed = (seed * 1103515245 + 12345) % 2147483648) % n
  for (let round = 0; round < 300; round++) {
    const text = () => Array.from({ length: random(12) }, () => 'abc'[random(3)]).join('\n')
    const [a, b] = [text(), text()]
    const all = lines(a, b)
    assert.equal(all.filter(([mark]) => mark !== '+').map(([, line]) => line).join('\n'), a)
    assert.equal(all.filter(([mark]) => mark !== '-').map(([, line]) => line).join('\n'), b)
  }
  assert.deepEqual(lines('a\nb\nc', 'a\nx\nc'), [[' ', 'a'], ['-', 'b'], ['+', 'x'], [' ', 'c']])
})
