import assert from 'node:assert/strict'
import { test } from 'node:test'
import { score } from '../static/lib/match.js'
import { brief, visible } from '../static/lib/brief.js'

test('what was typed finds titles, the best first', () => {
  const titles = ['Overview', 'order.paid', 'Follow order.paid', 'Dead runs of order-mailer', 'Pause save-user', 'save-user', 'Users']
  const found = text => titles.map(t => [score(t, text), t]).filter(([n]) => n).sort((a, b) => b[0] - a[0]).map(([, t]) => t)
  assert.deepEqual(found('order'), ['order.paid', 'Follow order.paid', 'Dead runs of order-mailer'])
  assert.deepEqual(found('user'), ['Users', 'save-user', 'Pause save-user'])
  assert.deepEqual(found('pause user'), ['Pause save-user'])
  assert.deepEqual(found('svusr'), ['save-user', 'Pause save-user'])
  assert.deepEqual(found('ORDER.PAID'), ['order.paid', 'Follow order.paid'])
  assert.deepEqual(found('nothing of this'), [])
  assert.equal(found('').length, titles.length)
})

test('the beginning of a payload keeps the digits of its numbers, and shows what has no shape', () => {
  const of = text => brief(JSON.parse(text), text, 20)
  assert.equal(of('{"seq":"1","subject":",\\"data\\":","data":{"id":12345678901234567890}}'), '{"id":12345678901234…')
  assert.equal(of('{"seq":"1","data":{"a": 1,\n  "b":2}}'), '{"a": 1, "b":2}')
  assert.equal(of('{"seq":"1","data":"\u202ex"}'), '"\\u202ex"')
  assert.equal(of('{"seq":"1","data":null}'), 'null')
  assert.equal(of('{"seq":"1"}'), '')
  assert.equal(of('{"seq":"1","data_base64":"AAAA"}'), '(3 bytes)')
  assert.equal(of('{"seq":"1","erasedat":"2026-11-27T00:00:00Z","data":null}'), '(erased)')
  assert.equal(of(`{"seq":"1","data":"${'x'.repeat(1e6)}"}`), `"${'x'.repeat(19)}…`)
  assert.equal(visible('a\u0000b\u200bc'), 'a\\u0000b\\u200bc')
})
