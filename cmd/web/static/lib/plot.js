// Plots: time series drawn by uPlot, which the page must have loaded (templates/_plots.html).
import { get } from './api.js'
import { $, h } from './dom.js'
import { duration, number } from './format.js'

/** A value of a plot with three digits: 1,234, 12.3, 0.05. */
function short(n) {
  if (n === null || n === undefined) return '–'
  if (Math.abs(n) >= 100) return number(n)
  return String(Number(n.toPrecision(n >= 10 ? 3 : 2)))
}

// A colour of style.css as the browser computes it now: canvases know no variables.
function colour(name) {
  const probe = h('i', { hidden: true })
  probe.style.color = `var(--${name})`
  document.body.append(probe)
  const computed = getComputedStyle(probe).color
  probe.remove()
  return computed
}

// The decades that two numbers lie in, one at least. What is below a tenth is not told apart.
function decades(low, high) {
  const from = Math.max(-1, Math.floor(Math.log10(low)))
  return [10 ** from, 10 ** Math.max(Math.ceil(Math.log10(high)), from + 1)]
}

// The powers of ten between two numbers, both included.
const powers = (low, high) => Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, i) => low * 10 ** i)

const clock = new Intl.DateTimeFormat('sv-SE', { hour: '2-digit', minute: '2-digit' })
const seconds = new Intl.DateTimeFormat('sv-SE', { timeStyle: 'medium' })

/**
 * Makes a plot in a figure. series are {name, colour, fill, line: dashes}; format writes a value. Of its result, set(times, lists) shows values: times in seconds,
 * and a list of values for each series, null where there is none.
 */
function timeSeries(figure, { title, series, format = short, span, height = 170, sync = 'plots', log = false }) {
  const values = series.map(() => h('b', {}, '–'))
  const marks = series.map(() => h('span', { class: 'mark' }))
  const moment = h('span', { class: 'series' })
  const chart = h('div', { class: 'chart', role: 'img', 'aria-label': title })
  figure.replaceChildren(
    h('figcaption', {}, h('h3', {}, title), series.map((s, i) => h('span', { class: 'series' }, marks[i], s.name, values[i])), moment), chart)
  let data = [[], ...series.map(() => [])]
  let colours = []
  const paint = () => {
    colours = Object.fromEntries(['muted', 'line', ...series.map(s => s.colour)].map(name => [name, colour(name)]))
    series.forEach((s, i) => { marks[i].style.background = marks[i].style.borderColor = colours[s.colour] })
  }
  paint()
  const font = '11px system-ui, sans-serif'
  const axis = more => ({ font, stroke: () => colours.muted, grid: { stroke: () => colours.line, width: 1 }, ticks: { show: false }, ...more })
  const plot = new uPlot({
    width: Math.max(chart.clientWidth, 100), height, legend: { show: false }, padding: [6, 8, 0, 0],
    cursor: { sync: { key: sync }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { range: () => { const end = data[0].at(-1) ?? Date.now() / 1000; return [end - span, end] } },
      y: log ? { distr: 3, range: (u, low, high) => low > 0 ? decades(low, high) : [1, 100] } : { range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1] },
    },
    axes: [
      axis({ space: 46, size: 28, values: (u, splits, axis, space, step) => splits.map(t => (step < 60 ? seconds : clock).format(new Date(t * 1000))) }),
      axis({ size: 54, space: 34, values: (u, splits) => splits.map(n => n === null ? '' : format(n)), splits: log ? (u, i, low, high) => powers(low, high) : undefined }),
    ],
    series: [{}, ...series.map(s => ({
      label: s.name, stroke: () => colours[s.colour], width: 1.5, dash: s.dash, points: { show: s.points ?? false, size: 3 }, spanGaps: s.spanGaps ?? false,
      fill: s.fill ? () => colours[s.colour].replace(/^rgb\((.*)\)$/, 'rgba($1, .14)') : undefined,
    }))],
    hooks: { setCursor: [() => tell()] },
  }, data, chart)

  const last = (list, any) => any ? list.findLast(v => v !== null) : list.at(-1)

  // The values at the cursor, else the last ones.
  function tell() {
    const at = plot.cursor.left >= 0 ? plot.cursor.idx : null
    series.forEach((s, i) => {
      const list = data[i + 1]
      values[i].textContent = format((at === null ? last(list, s.spanGaps) : list[at]) ?? null)
    })
    moment.textContent = at === null || data[0][at] === undefined ? '' : seconds.format(new Date(data[0][at] * 1000))
  }

  new ResizeObserver(() => {
    if (chart.clientWidth && Math.abs(chart.clientWidth - plot.width) > 1) plot.setSize({ width: chart.clientWidth, height })
  }).observe(chart)
  const repaint = () => { paint(); plot.redraw(false) }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint)
  new MutationObserver(repaint).observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
  let told = 0
  return {
    set(times, lists) {
      data = [times, ...lists]
      plot.setData(data)
      chart.classList.toggle('nothing', lists.every(list => list.every(v => v === null)))
      tell()
      if (Date.now() - told > 10000) { // not each second: it may be read aloud
        told = Date.now()
        chart.setAttribute('aria-label', `${title}: ${series.map((s, i) => `${s.name} ${format(lists[i].at(-1) ?? null)} now, ${format(lists[i].reduce((a, b) => Math.max(a, b ?? 0), 0))} at most`).join('; ')}`)
      }
    },
  }
}

const milliseconds = n => n === null || n === undefined ? '–' : n === 0 ? '0' : duration(n)

// The lists of an activity.
const kept = ['accepted', 'ended', 'failed', 'waiting', 'oldest', 'p50', 'p95', 'p99', 'wait']

/** The series of GET /v1/activity, kept current while the page is seen: new steps are added, and those that are older than the span go. */
class Activity {
  constructor({ span, step, handler }, draw, note) {
    Object.assign(this, { span, step, handler, draw, note, times: [], lists: Object.fromEntries(kept.map(name => [name, []])), timer: 0 })
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.ask() })
  }

  async ask() {
    clearTimeout(this.timer)
    if (document.hidden) return
    const since = this.times.length ? this.times.at(-1) + this.step : Math.floor(Date.now() / 1000) - this.span
    let wait = this.step * 1000
    try {
      this.add(await get('/v1/activity', { since: new Date(since * 1000).toISOString(), step: `${this.step}s`, handler: this.handler }))
      this.note('')
    } catch (problem) {
      this.note(`Not current: ${problem.message}`)
      wait = Math.min(wait, 5000)
    }
    clearTimeout(this.timer)
    // A little after the next step has ended.
    const now = Date.now()
    this.timer = setTimeout(() => this.ask(), Math.max(500, wait - now % wait + 150))
  }

  add(a) {
    const begin = Date.parse(a.since) / 1000
    const last = this.times.at(-1)
    const lists = {
      accepted: a.accepted, ended: a.ended, failed: a.failed, waiting: a.waiting, oldest: a.oldest_seconds,
      p50: a.attempt_ms.p50, p95: a.attempt_ms.p95, p99: a.attempt_ms.p99, wait: a.wait_ms.p95,
    }
    if (last !== undefined && begin > last + 1.5 * this.step) this.push(last + this.step, () => null) // the daemon was not there
    a.ended.forEach((_, i) => {
      const time = begin + i * this.step
      if (time > (this.times.at(-1) ?? 0)) this.push(time, name => lists[name]?.[i] ?? null)
    })
    const old = this.times.findIndex(t => t >= (this.times.at(-1) ?? 0) - this.span)
    if (old > 0) {
      this.times.splice(0, old)
      for (const list of Object.values(this.lists)) list.splice(0, old)
    }
    this.draw(this)
  }

  push(time, value) {
    this.times.push(time)
    for (const name of kept) {
      const v = value(name)
      const rate = name === 'accepted' || name === 'ended' || name === 'failed'
      this.lists[name].push(v === null ? null : rate ? v / this.step : v)
    }
  }
}

/** Draws the plots of a page: see templates/_plots.html. */
export function plots(section = $('[data-plots]')) {
  if (!section) return
  const span = Number(section.dataset.span)
  const { handler } = section.dataset
  const note = $('[data-plots-note]', section)
  const figure = name => $(`[data-plot="${name}"]`, section)
  const rate = timeSeries(figure('rate'), { title: handler ? 'Runs a second' : 'Events and runs a second', span, series: [
    ...handler ? [] : [{ name: 'accepted', colour: 'accent', fill: true }],
    { name: 'ended', colour: 'good', fill: Boolean(handler) }, { name: 'failed', colour: 'bad' },
  ] })
  const latency = timeSeries(figure('latency'), { title: 'How long attempts take', span, format: milliseconds, log: true, series: [
    { name: 'p50', colour: 'good', spanGaps: true, points: true }, { name: 'p95', colour: 'warn', spanGaps: true, points: true }, { name: 'p99', colour: 'bad', spanGaps: true, dash: [4, 3] },
    { name: 'wait p95', colour: 'wait', spanGaps: true },
  ] })
  const backlog = timeSeries(figure('backlog'), { title: 'Events that wait', span, series: [{ name: 'waiting', colour: 'wait', fill: true }] })
  const activity = new Activity({ span, step: Number(section.dataset.step), handler }, ({ times, lists }) => {
    rate.set(times, handler ? [lists.ended, lists.failed] : [lists.accepted, lists.ended, lists.failed])
    latency.set(times, [lists.p50, lists.p95, lists.p99, lists.wait])
    backlog.set(times, [lists.waiting])
  }, text => {
    note.textContent = text
    section.classList.toggle('stale', text !== '')
  })
  activity.ask()
  return activity
}
