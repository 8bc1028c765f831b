// Actions on many runs or events: first a look, with the exact count and a sample, then a batch, which goes on when its page is left.
import { $, $$, h, state } from './dom.js'
import { lines, post } from './api.js'
import { toast } from './dialog.js'
import { refresh } from './regions.js'
import { number } from './format.js'

const words = {
  retry: ['Retry', 'retried', 'They become due now, with a new budget of attempts.'],
  cancel: ['Cancel', 'cancelled', 'Running attempts are ended. What waits is not run.'],
  drop: ['Drop', 'dropped', 'They are given up: their events are not handled again.'],
  rerun: ['Run again', 'began again', 'Each event goes through the handler of its run once more, as a new run. What was done the first time is done again.'],
}

const runs = n => `${number(n)} ${n === 1 ? 'run' : 'runs'}`

/** Looks at what an action would be done to, asks, and does it. Resolves to true when it has begun. done is called when the batch has ended. */
export function batch({ action, selection, done = () => {} }) {
  const [verb, , effect] = words[action]
  const request = { action, selection, all: !Object.keys(selection).length }
  return new Promise(resolve => {
    const looking = new AbortController()
    const title = h('h2', { id: 'batch-title' }, `${verb} …`)
    const body = h('div', { class: 'look', 'aria-live': 'polite' }, h('p', { class: 'muted' }, 'Counting …'), h('progress', { 'aria-label': 'Counting' }))
    const reason = h('input', { name: 'reason', maxlength: 500, placeholder: 'For the audit trail', autocomplete: 'off' })
    const go = h('button', { class: action === 'drop' || action === 'cancel' ? 'button danger' : 'button primary', value: 'yes', disabled: true }, verb)
    const box = h('dialog', { 'aria-labelledby': 'batch-title', class: 'batch-dialog' }, h('form', { method: 'dialog' }, title, body,
      h('label', { class: 'field' }, h('span', {}, 'Reason (optional)'), reason),
      h('div', { class: 'actions' }, h('button', { type: 'button', class: 'button', onclick: () => box.close() }, 'Cancel'), go)))
    let seen
    box.addEventListener('close', () => {
      looking.abort()
      box.remove()
      if (box.returnValue !== 'yes' || !seen) return resolve(false)
      start({ ...request, fingerprint: seen.fingerprint, reason: reason.value || undefined }, done)
      resolve(true)
    })
    document.body.append(box)
    box.showModal()
    post('/v1/batches', { ...request, dry_run: true }, { signal: looking.signal }).then(preview => {
      seen = preview
      title.textContent = preview.count ? `${verb} ${runs(preview.count)}?` : `${verb}: no run is selected`
      body.replaceChildren(...look(preview, effect))
      if (!preview.count) return
      go.textContent = `${verb} ${runs(preview.count)}`
      go.disabled = false
      go.focus()
    }, problem => {
      if (problem.name !== 'AbortError') body.replaceChildren(h('p', { class: 'error', role: 'alert' }, problem.message))
    })
  })
}

/** What a preview shows. */
function look(preview, effect) {
  const rows = (preview.runs ?? []).map(run => h('tr', {}, h('td', {}, state(run.state)), h('td', {}, `#${run.seq}`), h('td', {}, run.handler),
    h('td', { class: 'clip', title: run.error ?? '' }, run.error || run.type)))
  return [
    preview.count ? h('p', {}, effect) : h('p', {}, 'Runs in the selected states can\'t be changed like this, or nothing fits the filters.'),
    rows.length > 0 && h('div', { class: 'scroll' }, h('table', { class: 'table sample' }, h('caption', { class: 'small muted' }, preview.count > rows.length ? `The first ${rows.length} of ${number(preview.count)}` : 'All of them'),
      h('tbody', {}, rows))),
    preview.failed > 0 && h('p', { class: 'error' }, `The condition could not be evaluated for ${number(preview.failed)}, which are left out: ${preview.failure}`),
  ].filter(Boolean)
}

// A batch that was begun shortly before, perhaps on a page that was left since: it may be checking its selection still.
const mark = 'evrun.batch'

/** Whether a batch was begun in this tab that may not show yet. */
const begun = () => Date.now() - Number(sessionStorage.getItem(mark)) < 60_000

/** Starts a batch, or continues one, and shows how it gets on. It goes on when the page is left. */
async function start(request, done) {
  let last
  const checking = h('p', { class: 'card batch', role: 'status' }, `${words[request.action]?.[0] ?? 'Go on'}: checking what is selected …`)
  document.getElementById('batches')?.before(checking)
  sessionStorage.setItem(mark, Date.now())
  try {
    await lines('/v1/batches', { method: 'POST', body: { ...request, detach: true } }, async line => {
      const first = !last
      last = line
      if (first) {
        checking.remove()
        await refresh('batches')
      }
      show(line)
    })
    if (last?.problem) throw new Error(last.problem.detail)
    const [verb, past] = words[last?.action] ?? ['Done', 'done']
    toast(last ? `${runs(last.changed)} ${past}` : `${verb}: nothing was left to do`)
  } catch (problem) {
    toast(problem.message, 'problem')
  }
  checking.remove()
  sessionStorage.removeItem(mark)
  await refresh()
  done()
}

function show(line) {
  const card = document.getElementById(`batch-${line.id}`)
  if (!card) return
  const bar = $('progress', card)
  if (bar) bar.value = line.done
  $('[data-progress]', card).textContent = `${number(line.done)} of ${number(line.total)} done, ${number(line.changed)} changed`
}

/** Keeps running batches current, and continues stopped ones by their buttons. */
export function watch(done = () => {}) {
  document.addEventListener('click', event => {
    const button = event.target.closest?.('[data-resume]')
    if (!button) return
    button.disabled = true
    start({ resume: button.dataset.resume }, done)
  })
  const enable = () => { for (const button of $$('[data-resume]')) button.disabled = false }
  document.addEventListener('region', enable)
  enable()
  let running = !!$('[data-running]')
  setInterval(async () => {
    if (document.hidden || !running && !$('[data-running]') && !begun()) return
    await refresh('batches')
    const now = !!$('[data-running]')
    if (now) sessionStorage.removeItem(mark)
    if (running && !now) {
      await refresh()
      done()
    }
    running = now
  }, 1500)
}
