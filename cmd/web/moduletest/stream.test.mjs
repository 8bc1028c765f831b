import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Blocks, follow, laterThan } from '../static/lib/stream.js'

// Page is what a stream sees of its page: whether its tab is visible.
class Page extends EventTarget {
  visibilityState = 'visible'

  turn(state) {
    this.visibilityState = state
    this.dispatchEvent(new Event('visibilitychange'))
  }
}

// Daemon answers requests as a test says, one after the other.
class Daemon {
  asked = [] // {url, after}
  waiting = []

  fetch = (url, { headers, signal }) => new Promise((resolve, reject) => {
    this.asked.push({ url, after: headers['Last-Event-ID'] })
    signal.addEventListener('abort', () => reject(signal.reason))
    const request = {
      refuse: (status, problem = {}, more = {}) => resolve(new Response(JSON.stringify(problem), { status, headers: more })),
      break: () => reject(new TypeError('failed to fetch')),
      open: (after) => {
        const answer = new Answer(signal)
        resolve(new Response(answer.body, { status: 200 }))
        answer.send(`retry: 1000\nid: ${after}\nevent: head\ndata: {"seq":"${after}"}\n\n`)
        return answer
      },
    }
    this.next ? this.next(request) : this.waiting.push(request)
    this.next = null
  })

  request() {
    return this.waiting.length ? Promise.resolve(this.waiting.shift()) : new Promise((resolve) => { this.next = resolve; })
  }

  async open(after) { return (await this.request()).open(after) }
  async refuse(...answer) { (await this.request()).refuse(...answer) }
  async break() { (await this.request()).break() }
}

class Answer {
  constructor(signal) {
    this.body = new ReadableStream({ start: (c) => { this.to = c; } })
    signal.addEventListener('abort', () => { try { this.to.error(signal.reason); } catch { /* it has ended */ } })
  }

  send(text) { this.to.enqueue(new TextEncoder().encode(text)); }
  event(seq) { this.send(`id: ${seq}\nevent: event\ndata: {"seq":"${seq}"}\n\n`); }
  end() { this.to.close(); }
}

// Log collects what a stream reports, and waits for it.
class Log {
  lines = []
  waits = []

  add(line) {
    this.lines.push(line)
    this.waits = this.waits.filter(({ line: wanted, resolve }) => line !== wanted || resolve())
  }

  until(line) {
    if (this.lines.includes(line)) return Promise.resolve()
    return new Promise((resolve) => this.waits.push({ line, resolve }))
  }
}

function following(t, options) {
  const daemon = new Daemon(), page = new Page(), log = new Log()
  const stream = follow({
    event: (e) => log.add(`#${e.seq}`),
    gap: (g) => log.add(`gap ${g.reason}`),
    open: () => log.add('open'),
    state: ({ name, status, detail }) => log.add([name, status, detail].filter(Boolean).join(' ')),
    ...options,
    environment: { fetch: daemon.fetch, document: page },
  })
  t.after(() => stream.close())
  return { daemon, page, log, stream }
}

test('a stream continues after the last event when its connection ends', async (t) => {
  const { daemon, log, stream } = following(t, { params: { type: ['a.>', 'b'], last: true, limit: 5, where: '' } })
  const first = await daemon.open(7)
  first.event(8)
  await log.until('#8')
  first.end()
  const second = await daemon.open(8)
  second.event(9)
  await log.until('#9')
  assert.deepEqual(daemon.asked, [
    { url: '/v1/stream?type=a.%3E&type=b&last=true&limit=5', after: undefined },
    { url: '/v1/stream?type=a.%3E&type=b', after: '8' },
  ])
  assert.deepEqual(log.lines, ['connecting', 'live', 'open', '#8', 'reconnecting', 'live', 'open', '#9'])
})

test('a stream that broke before its first event continues where it began', async (t) => {
  const { daemon } = following(t, {})
  const answer = await daemon.open(7)
  answer.end()
  await daemon.request()
  assert.equal(daemon.asked[1].after, '7')
})

test("a stream goes on asking a daemon that is not there, or can't take it now", async (t) => {
  const { daemon, log, stream } = following(t, { params: { after: '3' } })
  await daemon.break()
  await daemon.refuse(503, { detail: 'evrun is stopping' })
  const answer = await daemon.open(3)
  answer.event(4)
  await log.until('#4')
  assert.deepEqual(daemon.asked.map((a) => a.after), ['3', '3', '3'])
  assert.deepEqual(log.lines, ['connecting', 'reconnecting', 'reconnecting 503 evrun is stopping', 'live', 'open', '#4'])
})

test('a stream that is refused for good ends and says why', async (t) => {
  const { daemon, log } = following(t, {})
  await daemon.refuse(400, { detail: 'where: unknown name dat' })
  await log.until('ended 400 where: unknown name dat')
  assert.equal(daemon.asked.length, 1)
})

test('a stream is closed while its tab is hidden, and misses nothing', async (t) => {
  const { daemon, page, log } = following(t, {})
  const answer = await daemon.open(1)
  answer.event(2)
  await log.until('#2')
  page.turn('hidden')
  await log.until('hidden')
  page.turn('visible')
  const second = await daemon.open(2)
  second.event(3)
  await log.until('#3')
  assert.equal(daemon.asked[1].after, '2')
})

test('a paused stream gets nothing, not even what has come already', async (t) => {
  const { daemon, log, stream } = following(t, { event: (e) => { log.add(`#${e.seq}`); if (e.seq === '2') stream.pause(); } })
  const answer = await daemon.open(1)
  answer.send(`id: 2\nevent: event\ndata: {"seq":"2"}\n\nid: 3\nevent: event\ndata: {"seq":"3"}\n\n`)
  await log.until('paused')
  assert.ok(!log.lines.includes('#3'))
  stream.resume()
  const second = await daemon.open(2)
  second.event(3)
  await log.until('#3')
  assert.equal(daemon.asked[1].after, '2')
})

test('after a long time a page may catch up on its own, and continue later', async (t) => {
  const { daemon, log, stream } = following(t, { patience: 0, catchUp: async (last) => { log.add(`catch up ${last}`); return '90'; } })
  await daemon.open(1)
  await log.until('open')
  stream.pause()
  await log.until('paused')
  stream.resume()
  await daemon.request()
  assert.ok(log.lines.includes('catch up 1'))
  assert.equal(daemon.asked[1].after, '90')
})

test("a callback that fails doesn't end the stream", async (t) => {
  t.mock.method(console, 'error', () => {})
  const { daemon, log, stream } = following(t, { event: (e) => { log.add(`#${e.seq}`); throw new Error("no"); } })
  const answer = await daemon.open(1)
  answer.event(2)
  answer.event(3)
  await log.until('#3')
  assert.equal(daemon.asked.length, 1)
})

test('blocks are found wherever their text is cut', () => {
  const text = `: a comment\n\nid: 1\nevent: event\ndata: {"a":"ü\\n"}\n\nevent: gap\ndata: {}\n\nid: 2\nevent: head\ndata: {}\n\n`
  const whole = [...new Blocks().of(text)]
  assert.deepEqual(whole.map((b) => [b.kind, b.id, b.data]), [['event', '1', `{"a":"ü\\n"}`], ['gap', '', '{}'], ['head', '2', '{}']])
  for (let size = 1; size < text.length; size++) {
    const blocks = new Blocks(), got = []
    for (let i = 0; i < text.length; i += size) got.push(...blocks.of(text.slice(i, i + size)))
    assert.deepEqual(got, whole)
  }
})

test("seqs are compared as numbers, also those that a number can't hold", () => {
  assert.ok(laterThan('10', '9'))
  assert.ok(!laterThan('9', '10'))
  assert.ok(laterThan('9223372036854775807', '9223372036854775806'))
})
