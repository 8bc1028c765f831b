// One run: what it prints while it runs, and how it ends.
import { $, h } from '../lib/dom.js'
import { lines } from '../lib/api.js'
import { number } from '../lib/format.js'
import { refresh, refreshEvery, seen } from '../lib/regions.js'

let shown = 0
const most = 400_000 // characters that are shown of a log; older ones go
const box = $('[data-log]')

const going = Boolean($('[data-going]'))
if (going) refreshEvery(2000)
if (box) follow()
let ended = !going
document.addEventListener('region', () => {
  const goes = Boolean($('[data-going]'))
  if (goes && ended) location.reload() // it was retried: the page of a run that has not ended follows it, with its output
  ended = !goes
})

/** Shows what the run prints, until it has ended, while the page is seen: a browser has few connections. It begins again with all that was printed. */
async function follow() {
  const pre = $('[data-log-text]', box)
  const says = $('[data-log-state]', box)
  for (let wait = 1000; ; wait = Math.min(wait * 2, 15000)) {
    await seen()
    const reading = new AbortController()
    const hide = () => document.hidden && reading.abort()
    document.addEventListener('visibilitychange', hide)
    let ended = false
    pre.replaceChildren()
    shown = 0
    says.textContent = 'waiting for output'
    try {
      await lines(`/v1/runs/${encodeURIComponent(box.dataset.log)}/logs?follow=true&attempt=all`, { signal: reading.signal }, line => {
        wait = 1000
        if (line.attempt?.state === 'running') put(pre, h('span', { class: 'muted' }, `— attempt ${line.attempt.attempt} —\n`))
        if (line.output) print(pre, says, line.output)
        if (line.run) ended = true
      })
    } catch (problem) {
      says.textContent = reading.signal.aborted ? '' : problem.message
      if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) return // a daemon that stops answers 503
    }
    document.removeEventListener('visibilitychange', hide)
    if (ended) {
      says.textContent = 'the run has ended'
      await refresh()
      return
    }
    if (!reading.signal.aborted) await new Promise(wake => setTimeout(wake, wait))
  }
}

function print(pre, says, piece) {
  says.textContent = ''
  put(pre, piece.omitted && h('span', { class: 'muted' }, `… ${number(piece.omitted)} bytes left out …\n`), h('span', { class: piece.stream === 'stderr' ? 'error' : null }, piece.text))
}

/** Adds to the log, of which the oldest goes when it is long. Who reads at its end stays there. */
function put(pre, ...parts) {
  const atEnd = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 4
  for (const part of parts.filter(Boolean)) {
    pre.append(part)
    shown += part.textContent.length
  }
  for (; shown > most && pre.childElementCount > 1; pre.firstChild.remove()) shown -= pre.firstChild.textContent.length
  if (atEnd) pre.scrollTop = pre.scrollHeight
}
