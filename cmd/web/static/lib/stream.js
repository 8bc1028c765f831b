// Follows the journal and changed runs, as GET /v1/stream sends them: every event of the filter once and in order, over pauses, a hidden tab, broken
// connections and restarts of the daemon.
//
//	const stream = follow({ params: { type: 'order.>', runs: true }, event: (e) => …, run: (r) => …, state: (s) => … });
//
// It reads the stream with fetch and not with an EventSource: it can continue after a given event when it opens the stream again, it sees why a request
// was refused, and a reader that is busy holds up the daemon's writes to it instead of filling the tab's memory.

const dead = 40_000 // ms without any block: the connection is broken, since a head comes every 15 s
const delays = [250, 1000, 1000, 1000, 2000, 5000] // ms before the attempts to connect again; then the last one
const lasting = new Set([400, 401, 403, 404, 421]) // answers that another attempt would get, too

// follow follows a stream until close is called. All callbacks are optional.
//
//	params     of GET /v1/stream; after, since, last and limit say where the stream begins
//	event      an event, and its text as the API wrote it: numbers of more than 15 digits are not lost there
//	run        a changed run. Runs have no place in the journal: those that changed while the stream was not open never come
//	open       the stream is open, for the first time or again: what it has no record of (runs) can be read now
//	head       the seq of the position, every 15 seconds in which nothing else comes
//	gap        {reason, after}: something is missing
//	failed     {failed, failure}: the condition could not be evaluated for so many events or runs
//	catchUp    is called before the stream is opened again if nothing came for `patience` or longer: the tab was hidden, the stream was paused, the
//	           machine slept. It gets the last seq, and may return another one, after which the stream continues: a page that shows the newest events
//	           doesn't need all that came meanwhile
//	state      {name, status, detail, wait}. name is one of
//	             connecting, live
//	             reconnecting: the connection is broken, or was refused for now; wait: ms until the next attempt
//	             paused, hidden: closed until resume, or until the tab is visible again
//	             ended: the daemon refused it for good, with this status and detail
//
// It returns {close, pause, resume, position}; position() is the seq after which the stream would continue.
export function follow({ params = {}, event, run, open, head, gap, failed, catchUp, state, patience = 10_000, environment = {} }) {
  const fetch = environment.fetch ?? ((url, init) => globalThis.fetch(url, init))
  const document = environment.document ?? globalThis.document
  const sleeping = new Wake()
  let last = params.after === undefined ? '' : String(params.after) // the id of the last block
  let begun = last !== '' // the stream continues after last
  let heard = Date.now() // when something came
  let failures = 0 // since the stream was open
  let closed = false, paused = false, request = null, said = ''

  const hidden = () => document?.visibilityState === 'hidden'
  const awake = () => !closed && !paused && !hidden()

  function say(name, more = {}) {
    const text = JSON.stringify([name, more])
    if (text === said) return
    said = text
    call(state, { name, ...more })
  }

  // changed stops or wakes the loop.
  function changed() {
    if (!awake()) request?.abort()
    sleeping.wake()
  }

  async function loop() {
    while (!closed) {
      if (!awake()) {
        say(paused ? 'paused' : 'hidden')
        if (!awake()) await sleeping.wait(Infinity)
        continue
      }
      if (failures === 0) say('connecting')
      let refused = null
      try {
        if (begun && catchUp && Date.now() - heard >= patience) {
          const next = await catchUp(last)
          if (next !== undefined) last = String(next)
          heard = Date.now()
          if (!awake()) continue
        }
        refused = await read()
      } catch {
        // The connection is broken, or changed ended it.
      }
      request = null
      if (!awake()) continue
      if (refused && lasting.has(refused.status)) {
        closed = true
        say('ended', refused)
        break
      }
      const wait = Math.max(delays[Math.min(failures, delays.length - 1)] * (0.8 + 0.4 * Math.random()), refused?.after ?? 0)
      failures++
      say('reconnecting', { ...refused, wait: Math.round(wait) })
      await sleeping.wait(wait)
    }
    document?.removeEventListener('visibilitychange', changed)
    globalThis.removeEventListener?.('online', changed)
  }

  // read reads one answer to its end. It returns why the stream was refused; null if it was open.
  async function read() {
    const mine = request = new AbortController()
    let watch = setTimeout(() => mine.abort(), dead)
    try {
      const res = await fetch(address(params, !begun), {
        headers: { Accept: 'text/event-stream', ...(begun ? { 'Last-Event-ID': last } : {}) },
        signal: mine.signal, cache: 'no-store',
      })
      if (res.status !== 200) return await reason(res)
      const blocks = new Blocks()
      const reader = res.body.getReader()
      const decoder = new TextDecoder()
      for (;;) {
        const { value, done } = await reader.read()
        if (done || mine.signal.aborted) return null
        heard = Date.now()
        clearTimeout(watch)
        watch = setTimeout(() => mine.abort(), dead)
        for (const block of blocks.of(decoder.decode(value, { stream: true }))) {
          take(block)
          if (mine.signal.aborted) return null
        }
      }
    } finally {
      clearTimeout(watch)
      mine.abort()
    }
  }

  // take hands one block on. The position is that of the block before its callback is called: a callback that fails doesn't get the block again.
  function take({ kind, id, data }) {
    const value = JSON.parse(data)
    if (id !== '') {
      last = id
      begun = true
    }
    switch (kind) {
      case 'event': return call(event, value, data)
      case 'run': return call(run, value)
      case 'gap': return call(gap, value)
      case 'failed': return call(failed, value)
      case 'head':
        if (said !== live) {
          failures = 0
          say('live')
          call(open)
        }
        call(head, value.seq)
    }
  }

  document?.addEventListener('visibilitychange', changed)
  globalThis.addEventListener?.('online', changed)
  loop()
  return {
    close() {
      closed = true
      changed()
    },
    pause() {
      paused = true
      changed()
    },
    resume() {
      paused = false
      changed()
    },
    position: () => last,
  }
}

const live = JSON.stringify(['live', {}])

// laterThan reports whether a seq comes after another one. They are texts: a number of JavaScript can't hold each of them.
export function laterThan(a, b) {
  return a.length !== b.length ? a.length > b.length : a > b
}

// call calls a callback. What goes wrong there is shown in the browser's console, and doesn't end the stream.
function call(callback, ...values) {
  try {
    callback?.(...values)
  } catch (err) {
    console.error(err)
  }
}

// address is the stream's URL. Where it begins counts for the first request alone: the daemon continues after Last-Event-ID.
function address(params, first) {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(params)) {
    if (!first && ['after', 'since', 'last', 'limit'].includes(key)) continue
    for (const v of [value].flat()) if (v !== undefined && v !== null && v !== '') query.append(key, v)
  }
  return `/v1/stream?${query}`
}

// reason reads why a request was refused: the answer is a problem of the API, or whatever a proxy says.
async function reason(res) {
  const seconds = Number(res.headers?.get('Retry-After'))
  const after = seconds > 0 ? Math.min(seconds, 30) * 1000 : 0
  try {
    const problem = await res.json()
    return { status: res.status, detail: problem.detail ?? problem.title ?? '', after }
  } catch {
    return { status: res.status, detail: '', after }
  }
}

// Blocks splits a text, which comes in parts, into the blocks of a stream.
export class Blocks {
  constructor() {
    this.rest = ''
  }

  *of(part) {
    const seen = this.rest.length
    this.rest += part
    let begin = 0
    for (let end = this.rest.indexOf('\n\n', Math.max(seen - 1, 0)); end >= 0; end = this.rest.indexOf('\n\n', begin)) {
      const block = parse(this.rest.slice(begin, end))
      begin = end + 2
      if (block.data !== null) yield block
    }
    this.rest = this.rest.slice(begin)
  }
}

function parse(text) {
  const block = { kind: 'message', id: '', data: null }
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue // a comment
    const value = line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    switch (line.slice(0, colon)) {
      case 'event': block.kind = value; break
      case 'id': block.id = value; break
      case 'data': block.data = block.data === null ? value : `${block.data}\n${value}`
    }
  }
  return block
}

// Wake is a sleep that can be ended.
class Wake {
  wake = () => {}

  wait(ms) {
    return new Promise((resolve) => {
      const timer = ms === Infinity ? 0 : setTimeout(resolve, ms)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
