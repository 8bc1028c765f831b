// Values as people read them: the same texts as those that the functions of the templates make (functions.go), which a test compares.
import { $$ } from './dom.js'

/** 1,234,567 */
export const number = n => Math.round(n).toLocaleString('en-US')

/** A duration in milliseconds, in two units at most: 350ms, 1.2s, 3m04s, 2h, 3d04h. */
export function duration(ms) {
  if (ms < 0) return `-${duration(-ms)}`
  const micros = Math.round(ms * 1000)
  if (micros === 0) return '0s'
  if (micros < 1000) return `${micros}µs`
  if (Math.round(ms) < 1000) return `${Math.round(ms)}ms`
  const tenths = Math.round(ms / 100)
  if (tenths < 600) return `${tenths / 10}s`
  const s = ms / 1000
  const two = (large, name, rest, small) => name && `${large}${name}${rest ? String(rest).padStart(2, '0') + small : ''}`
  if (s < 3599.5) return two(Math.floor(Math.round(s) / 60), 'm', Math.round(s) % 60, 's')
  const m = Math.round(s / 60)
  if (m < 48 * 60) return two(Math.floor(m / 60), 'h', m % 60, 'm')
  const hours = Math.round(s / 3600)
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

/** How long ago, or in how long, a time is: 3m ago, in 2h. */
export function ago(time, now = Date.now()) {
  const ms = now - new Date(time)
  if (Math.abs(ms) < 1000) return 'now'
  const text = duration(Math.round(Math.abs(ms) / 1000) * 1000)
  return ms < 0 ? `in ${text}` : `${text} ago`
}

/** In how long a time will be: in 3m, and now once it has passed. */
export function until(time, now = Date.now()) {
  const seconds = Math.round((new Date(time) - now) / 1000)
  return seconds > 0 ? `in ${duration(seconds * 1000)}` : 'now'
}

const clock = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' })

/** A time in the browser's zone: 2026-11-27 15:04:05 */
const local = time => clock.format(new Date(time))

/** Shows the times of a part of the page in the browser's zone. */
export function localise(root = document) {
  for (const element of $$('time[datetime]', root)) {
    element.title = `${local(element.dateTime)} here, ${element.dateTime}`
    if ('at' in element.dataset) element.textContent = local(element.dateTime)
    if ('ago' in element.dataset) element.textContent = ago(element.dateTime)
    if ('in' in element.dataset) element.textContent = until(element.dateTime)
  }
}

/** Keeps the times of the page current. */
export function start() {
  localise()
  setInterval(() => {
    if (document.hidden) return
    const now = Date.now()
    for (const element of $$('time[data-ago], time[data-in]')) {
      const text = 'in' in element.dataset ? until(element.dateTime, now) : ago(element.dateTime, now)
      if (element.textContent !== text) element.textContent = text
    }
  }, 1000)
}
