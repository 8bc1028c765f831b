// Keeps parts of a page current: those with an id and data-region. The page is asked for again, and what has changed is put in place of what was, so that
// the server's templates alone decide what it looks like. Focus, open details and selected rows survive.
import { $, $$ } from './dom.js'
import { localise } from './format.js'

// The only place that makes elements of HTML: of pages of this server, which escape what they show.
const policy = globalThis.trustedTypes?.createPolicy('evrun', { createHTML: html => html })
const parse = html => new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, 'text/html')

let asking = null
let again = false

/** Refreshes all regions, or those with these ids. A refresh that is asked for during another one comes after it. Never fails: the next one will do. */
export function refresh(...ids) {
  if (asking) {
    again = true
    return asking
  }
  asking = load(location.href, ids).catch(() => {}).finally(() => {
    asking = null
    if (again) {
      again = false
      refresh()
    }
  })
  return asking
}

const patience = 30_000 // ms without an answer: the connection is broken, even if nothing says so

/** Asks for a page of this server, and returns it as a document; null if it can't be had. */
export async function page(url) {
  const answer = await fetch(url, { credentials: 'same-origin', headers: { Accept: 'text/html' }, signal: AbortSignal.timeout(patience) })
  if (answer.redirected && new URL(answer.url).pathname === '/sign-in') {
    location.href = answer.url
    return null
  }
  const text = await answer.text() // an answer that nobody reads keeps its connection
  if (stopped.has(answer.status)) throw new Error(`HTTP ${answer.status}`)
  return answer.ok ? parse(text) : null
}

/** Asks for a page and swaps the regions that differ. */
async function load(url, ids) {
  let fresh
  try {
    fresh = await page(url)
  } catch {
    away()
    return
  }
  back()
  await pressed
  if (fresh) swap(fresh, ids)
}

// While a button is pressed nothing is swapped: a click is one only if the element is there until it ends.
let pressed = null

document.addEventListener('pointerdown', () => {
  const over = new AbortController()
  const mine = pressed = new Promise(resolve => {
    const done = () => setTimeout(() => { // after the click
      over.abort()
      if (pressed === mine) pressed = null
      resolve()
    })
    addEventListener('pointerup', done, { capture: true, signal: over.signal })
    addEventListener('pointercancel', done, { capture: true, signal: over.signal })
    setTimeout(done, 5000)
  })
}, { capture: true, passive: true })

// A daemon that doesn't answer: the page says so, as nothing on it is current, and asks until there is an answer.

const stopped = new Set([502, 503, 504]) // a daemon that ends, and a proxy without one
let lost = null // the timer of the next attempt; null: the last refresh was answered

function away() {
  const note = $('[data-link]')
  if (note && lost === null) {
    note.textContent = `No answer from evrun since ${new Date().toLocaleTimeString()}. Trying again …`
    note.hidden = false
  }
  clearTimeout(lost)
  lost = setTimeout(tryAgain, 1000)
}

function back() {
  if (lost === null) return
  clearTimeout(lost)
  lost = null
  const note = $('[data-link]')
  if (note) note.hidden = true
}

function tryAgain() {
  if (lost !== null && !document.hidden) refresh()
}

document.addEventListener('visibilitychange', tryAgain)

/** Puts the regions of another document in place of those of this one that differ. */
function swap(page, ids = []) {
  for (const fresh of $$('[data-region][id]', page)) {
    if (ids.length && !ids.includes(fresh.id)) continue
    const old = document.getElementById(fresh.id)
    if (!old || old.dataset.source === fresh.outerHTML) continue
    const source = fresh.outerHTML
    if (!('source' in old.dataset) && old.outerHTML === source) continue
    put(old, document.adoptNode(fresh))
  }
}

function put(old, fresh) {
  const focus = old.contains(document.activeElement) ? pathOf(document.activeElement, old) : null
  const open = $$('details[open][id]', old).map(d => d.id)
  const selected = $$('[data-item][aria-selected="true"]', old).map(r => r.dataset.item)
  const checked = $$('input[type=checkbox][value]:checked', old).map(c => c.value)
  for (const id of open) fresh.querySelector(`details#${CSS.escape(id)}`)?.setAttribute('open', '')
  for (const item of selected) fresh.querySelector(`[data-item="${CSS.escape(item)}"]`)?.setAttribute('aria-selected', 'true')
  for (const value of checked) {
    const box = fresh.querySelector(`input[type=checkbox][value="${CSS.escape(value)}"]`)
    if (box) box.checked = true
  }
  old.replaceWith(fresh)
  localise(fresh)
  if (focus) elementAt(focus, fresh)?.focus({ preventScroll: true })
  fresh.dispatchEvent(new CustomEvent('region', { bubbles: true }))
}

// The place of an element within a root, as the numbers of its ancestors among their siblings; of one with an id, its id.
function pathOf(element, root) {
  if (element.id) return element.id
  const path = []
  for (let e = element; e !== root; e = e.parentElement) path.unshift([...e.parentElement.children].indexOf(e))
  return path
}

function elementAt(path, root) {
  if (typeof path === 'string') return root.querySelector(`#${CSS.escape(path)}`)
  return path.reduce((e, i) => e?.children[i], root)
}

/** Resolves when the page is seen: a tab that nobody looks at asks for nothing. */
export function seen() {
  return new Promise(resolve => {
    const look = () => {
      if (document.hidden) return
      document.removeEventListener('visibilitychange', look)
      resolve()
    }
    document.addEventListener('visibilitychange', look)
    look()
  })
}

/** Refreshes every so many milliseconds while the page is seen, and when it is seen again. The next one waits for the one before. */
export function refreshEvery(ms, ...ids) {
  let timer
  const next = () => {
    clearTimeout(timer)
    timer = setTimeout(async () => {
      if (!document.hidden) await refresh(...ids)
      next()
    }, ms)
  }
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) refresh(...ids).then(next)
  })
  next()
}
