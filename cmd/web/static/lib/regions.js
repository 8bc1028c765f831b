// Keeps parts of a page current: those with an id and data-region. The page is asked for again, and what has changed is put in place of what was, so that
// the server's templates alone decide what it looks like. Focus, open details and selected rows survive.
import { $$ } from './dom.js'
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

/** Asks for a page of this server, and returns it as a document; null if it can't be had. */
export async function page(url) {
  const answer = await fetch(url, { credentials: 'same-origin', headers: { Accept: 'text/html' } })
  if (answer.redirected && new URL(answer.url).pathname === '/sign-in') {
    location.href = answer.url
    return null
  }
  const text = await answer.text() // an answer that nobody reads keeps its connection
  return answer.ok ? parse(text) : null
}

/** Asks for a page and swaps the regions that differ. */
async function load(url, ids) {
  const fresh = await page(url)
  if (fresh) swap(fresh, ids)
}

/** Puts the regions of another document in place of those of this one that differ. */
export function swap(page, ids = []) {
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
