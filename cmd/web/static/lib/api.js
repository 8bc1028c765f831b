// Requests of the API (GET /v1/openapi.json), with the session's cookie.

/** An error of the API: RFC 9457. Its message is for people. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `HTTP ${status}`)
    this.name = 'Problem'
    this.status = status
    this.body = body
  }
}

/** The path with parameters; those that are null, undefined or empty are left out, and a list gives one for each of its values. */
export function url(path, params = {}) {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    for (const one of [value].flat()) {
      if (one !== null && one !== undefined && one !== '') query.append(name, one)
    }
  }
  const text = query.toString()
  return text ? `${path}?${text}` : path
}

async function ask(path, options) {
  let answer
  try {
    answer = await fetch(path, { credentials: 'same-origin', ...options })
  } catch (error) {
    if (error.name === 'AbortError') throw error
    throw new Problem(0, { detail: 'evrun does not answer: it is stopped, or the connection is down' })
  }
  if (answer.ok) return answer
  if (answer.status === 401) signIn()
  let body = {}
  try {
    body = await answer.json()
  } catch { /* of a proxy */ }
  throw new Problem(answer.status, body)
}

/** Goes to the page that signs in, and back here afterwards. */
function signIn() {
  location.href = url('/sign-in', { next: location.pathname + location.search })
}

/** The answer to a GET, as a value. options are those of fetch, such as signal. */
export async function get(path, params, options) {
  return (await ask(url(path, params), options)).json()
}

/** The answer to a POST of a JSON value, or of nothing. */
export async function post(path, body, options) {
  const answer = await ask(path, { method: 'POST', ...json(body), ...options })
  const text = await answer.text()
  return text ? JSON.parse(text) : null
}

/** Calls onLine with each value of an answer in NDJSON. options may have method and body. */
export async function lines(path, { body, ...options } = {}, onLine) {
  const answer = await ask(path, { ...json(body), ...options, headers: { Accept: 'application/x-ndjson', ...json(body).headers } })
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    const parts = (rest + (value ?? '')).split('\n')
    rest = done ? '' : parts.pop()
    for (const line of parts) {
      if (line.trim()) onLine(JSON.parse(line))
    }
    if (done) return
  }
}

function json(body) {
  if (body instanceof Blob) return { body, headers: { 'Content-Type': body.type } } // a text as it is, of its own type
  return body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
}
