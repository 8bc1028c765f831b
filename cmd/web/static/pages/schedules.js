// The pages of schedules: a click on a day, extra events, backfills.
import { $, $$, h } from '../lib/dom.js'
import { post } from '../lib/api.js'
import { ask, toast } from '../lib/dialog.js'
import { refresh, refreshEvery } from '../lib/regions.js'
import { number } from '../lib/format.js'

refreshEvery($$('#list tr').length > 200 ? 30_000 : 10_000) // many rows, and the year of all of them, take a while

// A map may be wider than the window: today is in its middle at first, and a fresh one stays where the one before was.
let left = null
function place() {
  const map = $('.heatmap .scroll')
  const today = map && $('.today', map)
  if (left !== null && map) map.scrollLeft = left
  else if (today) map.scrollLeft += today.getBoundingClientRect().left - map.getBoundingClientRect().left - map.clientWidth * 0.6
}
place()
document.addEventListener('region', place)
document.addEventListener('scroll', event => {
  if (event.target.closest?.('.heatmap .scroll')) left = event.target.scrollLeft
}, true)

document.addEventListener('click', event => {
  const day = event.target.closest?.('[data-day]')
  const map = day?.closest('[data-heatmap]')
  if (map) location.href = map.dataset.heatmap + encodeURIComponent(day.dataset.day)
  const fire = event.target.closest?.('[data-fire]')
  if (fire) fireNow(fire)
  const backfill = event.target.closest?.('[data-backfill]')
  if (backfill) fillBack(backfill.dataset.backfill)
})

const path = (name, action) => `/v1/schedules/${encodeURIComponent(name)}/${action}`

async function fireNow(button) {
  const name = button.dataset.fire
  if (!await ask({ title: `Fire ${name}?`, text: 'This publishes an extra event now. The next slot comes as before.', action: 'Fire' })) return
  button.disabled = true
  try {
    const { seq } = await post(path(name, 'fire'))
    toast([`${name} has fired: `, h('a', { href: `/events/${seq}` }, `#${seq}`)])
    await refresh()
  } catch (problem) {
    toast(problem.message, 'problem')
  } finally {
    button.disabled = false
  }
}

const field = (name, label, value) => h('label', { class: 'field' }, h('span', {}, label), h('input', { type: 'datetime-local', name, value, required: name === 'from' }))
const local = date => new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
const words = time => time.slice(0, 16).replace('T', ' ')

/** Publishes slots that have passed: asks from when to when, shows how many there are, and publishes a page of them after the other. */
async function fillBack(name) {
  const yesterday = new Date(Date.now() - 86_400_000)
  const when = await ask({
    title: `Backfill ${name}`, action: 'Count the slots',
    text: 'Publishes the slots between two times that were not published. Those that were are left out.',
    fields: [field('from', 'From, in your time zone', local(yesterday)), field('to', 'To, without it; empty: now', '')],
  })
  if (!when || !when.from) return
  const body = { from: new Date(when.from).toISOString() }
  if (when.to) body.to = new Date(when.to).toISOString()
  try {
    const count = await post(path(name, 'backfill'), { ...body, dry_run: true })
    if (!count.count) return toast(`${name} has no slot from ${words(count.from)} to ${words(count.to)}`, 'problem')
    const sample = h('ul', {}, count.first.map(slot => h('li', {}, words(slot))), count.count > count.first.length && h('li', {}, '…'))
    const yes = await ask({ title: `Publish ${number(count.count)} slots of ${name}?`, text: 'Those that were published before are left out. The first ones:', content: sample, action: 'Publish' })
    if (yes) await publish(name, { ...body, to: count.to }, count.count)
  } catch (problem) {
    toast(problem.message, 'problem')
  }
  await refresh()
}

async function publish(name, body, total) {
  const bar = h('progress', { max: total, value: 0, 'aria-label': 'Published slots' })
  const text = h('span', {}, '0')
  const box = h('dialog', { 'aria-label': `Backfill of ${name}` }, h('h2', {}, `Backfill of ${name}`), bar, h('p', {}, text, ` of ${number(total)} slots`))
  box.addEventListener('cancel', event => event.preventDefault())
  document.body.append(box)
  box.showModal()
  const sum = { done: 0, fired: 0, known: 0, failed: 0, failure: '' }
  try {
    for (let page = {}; ;) {
      page = await post(path(name, 'backfill'), { ...body, after: page.after, recorded: page.recorded })
      for (const part of ['done', 'fired', 'known', 'failed']) sum[part] += page[part]
      sum.failure ||= page.failure ?? ''
      bar.value = sum.done
      text.textContent = number(sum.done)
      if (!page.after) break
    }
  } finally {
    box.remove()
  }
  toast(`${number(sum.fired)} published${sum.known ? `, ${number(sum.known)} were published before` : ''}`)
  if (sum.failed) toast(`${number(sum.failed)} can't be published: ${sum.failure}`, 'problem')
}
