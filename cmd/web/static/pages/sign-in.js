// Signs in: with the code of a link, which is in the URL behind #, or with the token of the form.
import { $ } from '../lib/dom.js'

const form = $('[data-form]')
const failed = $('[data-failed]')
const busy = $('[data-busy]')

/** Goes on to the page that was asked for: one of this server, whatever the URL says. */
function goOn() {
  const next = new URL(form.elements.next.value || '/', location.origin)
  location.replace(next.origin === location.origin ? next : '/')
}

async function signIn(body) {
  busy.hidden = false
  failed.hidden = true
  try {
    const answer = await fetch('/sign-in', { method: 'POST', credentials: 'same-origin', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
    if (answer.ok) return goOn()
    const problem = await answer.json().catch(() => ({}))
    failed.textContent = problem.detail || problem.title || `HTTP ${answer.status}`
  } catch {
    failed.textContent = 'evrun does not answer: it is stopped, or the connection is down'
  }
  busy.hidden = true
  failed.hidden = false
  form.elements.token.focus()
}

form.addEventListener('submit', event => {
  event.preventDefault()
  signIn({ token: form.elements.token.value.trim() })
})

const code = new URLSearchParams(location.hash.slice(1)).get('code')
if (code) {
  history.replaceState(null, '', location.pathname + location.search) // a code works once, and does not stay in the history
  signIn({ code })
} else if (!$('[data-failed]:not([hidden])')) {
  // A browser that is signed in is led on. The page asks for that: a link of another site brings no cookie with it (SameSite=Strict).
  fetch(`${location.pathname}?ask=session`, { credentials: 'same-origin', redirect: 'manual' }).then(async answer => {
    if (answer.type === 'opaqueredirect') goOn()
    else await answer.text() // an answer that nobody reads keeps its connection
  }).catch(() => {})
}
