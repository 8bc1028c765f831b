// What the palette knows: pages, saved views, handlers, schedules, types, and what can be done with them. An entry is {title, hint, path} or {title, hint, run}.
import { $$ } from './dom.js'
import { get, post, url } from './api.js'
import { ask, toast } from './dialog.js'
import { refresh } from './regions.js'
import { choose } from './theme.js'

const may = right => `may${right}` in document.body.dataset
const seg = encodeURIComponent

/** The entries that need no request. */
export function near() {
  return [
    ...$$('.nav a').map(a => ({ title: a.textContent.trim(), hint: 'Page', path: a.getAttribute('href'), weight: 3 })),
    { title: 'Dead runs', hint: 'Runs', path: '/runs?state=dead', weight: 2 },
    { title: 'What fires next', hint: 'Schedules', path: '/schedules?view=next', weight: 1 },
    ...savedViews(),
    ...['light', 'dark', ''].map(name => ({ title: `Theme: ${name || 'system'}`, hint: 'Action', run: () => choose(name) })),
    may('Operate') && { title: 'Reload the wiring', hint: 'Action', run: () => act('/v1/reload', 'The wiring was read again', 'Reload the wiring file?') },
    document.body.dataset.who && { title: 'Sign out', hint: 'Action', run: signOut },
  ].filter(Boolean)
}

/** The entries that the API knows. A part that can't be had is left out. */
export async function far() {
  const ask = (path, params, make) => get(path, params).then(make).catch(() => [])
  const parts = await Promise.all([
    ask('/v1/handlers', {}, list => list.handlers.flatMap(ofHandler)),
    ask('/v1/schedules', {}, list => list.schedules.flatMap(ofSchedule)),
    ask('/v1/types', { limit: 1000 }, list => list.types.flatMap(ofType)),
  ])
  return parts.flat()
}

function ofHandler(h) {
  const at = `/v1/handlers/${seg(h.name)}`
  return [
    { title: h.name, hint: h.state === 'active' ? 'Handler' : `Handler, ${h.state}`, path: `/handlers/${seg(h.name)}`, weight: 2 },
    h.dead > 0 && { title: `Dead runs of ${h.name}`, hint: `${h.dead} dead`, path: url('/runs', { handler: h.name, state: 'dead' }) },
    { title: `Follow the runs of ${h.name}`, hint: 'Live', path: url('/live', { handler: h.name }) },
    may('Operate') && h.state === 'active' && { title: `Pause ${h.name}`, hint: 'Action', run: () => act(`${at}/pause`, `${h.name} is paused`, `Pause the handler ${h.name}?`, 'Pause') },
    may('Operate') && h.state === 'paused' && { title: `Resume ${h.name}`, hint: 'Action', run: () => act(`${at}/resume`, `${h.name} goes on`) },
  ].filter(Boolean)
}

function ofSchedule(s) {
  const at = `/v1/schedules/${seg(s.name)}`
  return [
    { title: s.name, hint: s.paused ? 'Schedule, paused' : 'Schedule', path: `/schedules/${seg(s.name)}`, weight: 2 },
    may('Operate') && { title: `Fire ${s.name}`, hint: 'Action', run: () => act(`${at}/fire`, `${s.name} was fired`, `Publish an extra event of the schedule ${s.name} now?`, 'Fire') },
    may('Operate') && !s.paused && { title: `Pause the schedule ${s.name}`, hint: 'Action', run: () => act(`${at}/pause`, `${s.name} is paused`, `Pause the schedule ${s.name}?`, 'Pause') },
    may('Operate') && s.paused === 'hand' && { title: `Resume the schedule ${s.name}`, hint: 'Action', run: () => act(`${at}/resume`, `${s.name} goes on`) },
  ].filter(Boolean)
}

function ofType(t) {
  return [
    { title: t.type, hint: 'Events of this type', path: url('/events', { type: t.type }), weight: 1 },
    { title: `Follow ${t.type}`, hint: 'Live', path: url('/live', { type: t.type }) },
    may('Emit') && !t.own && { title: `Emit ${t.type}`, hint: 'Emit', path: url('/emit', { type: t.type }) },
  ].filter(Boolean)
}

/** What a text may be the name of, and the searches for it. */
export function named(text) {
  text = text.trim()
  if (!text) return [[], []]
  const first = [], last = []
  const number = /^#?(\d{1,19})$/.exec(text)?.[1]
  if (number) first.push({ title: `Event #${number}`, hint: 'Event', path: `/events/${number}` })
  if (/^\d+-[^\s]+$/.test(text)) first.push({ title: `Run ${text}`, hint: 'Run', path: `/runs/${seg(text)}` })
  if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(text)) first.push({ title: `Event ${text}`, hint: 'Event', path: `/events/${seg(text)}` })
  if (/^[\w-]+(\.([\w-]+|\*|>))+$/.test(text)) {
    last.push({ title: `Follow ${text}`, hint: 'Live', path: url('/live', { type: text }) }, { title: `Events of the type ${text}`, hint: 'Events', path: url('/events', { type: text }) })
  }
  last.push({ title: `Events whose data has “${text}”`, hint: 'Search', path: url('/events', { where: `toJSON(data) contains ${JSON.stringify(text)}` }) })
  last.push({ title: `Runs whose error has “${text}”`, hint: 'Search', path: url('/runs', { where: `run.error contains ${JSON.stringify(text)}` }) })
  return [first, last]
}

function savedViews() {
  const list = []
  try {
    for (const [name, text] of Object.entries(localStorage)) {
      if (!name.startsWith('evrun.views/')) continue
      const path = name.slice('evrun.views'.length)
      for (const view of JSON.parse(text)) {
        if (typeof view?.name === 'string' && typeof view?.query === 'string') list.push({ title: view.name, hint: `View of ${path}`, path: `${path}?${view.query}`, weight: 2 })
      }
    }
  } catch { /* storage is off, or has something else */ }
  return list
}

async function act(path, done, question, action) {
  if (question && !await ask({ title: question, action: action ?? 'Yes' })) return
  try {
    await post(path)
    toast(done)
    await refresh()
  } catch (problem) {
    toast(problem.message, 'problem')
  }
}

async function signOut() {
  await fetch('/sign-out', { method: 'POST' }).catch(() => {})
  location.href = '/sign-in'
}
