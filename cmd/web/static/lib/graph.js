// The wiring as a graph: which nodes there are, where they stand (by dagre), and a picture that can be moved.
import { Graph, layout } from '../vendor/dagre/dagre.esm.js'
import { h, svg } from './dom.js'

const most = 30 // characters of a name that are shown
const letter = 7.1 // pixels of one
const smallLetter = 6.4 // pixels of one in the second line
const gap = 36 // between parts that have nothing to do with each other
const crowded = 12 // types of a pattern whose edges are drawn
const least = .85 // how small a graph is at first if it is wider than the page: texts can be read
const fits = .68 // how small it may be to be seen as a whole

/** What is drawn of the wiring (GET /v1/wiring): nodes by their ids, and edges. Only what is around the node with the id focus, if there is one. */
export function model(wiring, focus = '') {
  const nodes = new Map()
  const add = (item, kind, name, more = {}) => nodes.set(item.id, { id: item.id, kind, name, item, ...more })
  for (const t of wiring.types) add(t, t.pattern ? 'pattern' : t.computed ? 'computed' : 'type', t.type)
  for (const item of wiring.schedules) add(item, 'schedule', item.name)
  for (const item of wiring.hooks) add(item, 'hook', item.name)
  for (const item of wiring.handlers) add(item, 'handler', item.name, { small: item.do })
  let edges = wiring.edges.filter(e => nodes.has(e.from) && nodes.has(e.to)).map(e => ({ ...e }))
  edges = withoutJobs(nodes, edges)
  edges = withoutGuesses(nodes, edges)
  edges = withoutCrowds(nodes, edges)
  if (focus && nodes.has(focus)) {
    const near = around(edges, focus)
    for (const id of nodes.keys()) if (!near.has(id)) nodes.delete(id)
    edges = edges.filter(e => near.has(e.from) && near.has(e.to))
  }
  return { nodes, edges }
}

// A schedule with a handler of its own has a type in between that says nothing new.
function withoutJobs(nodes, edges) {
  for (const s of [...nodes.values()].filter(n => n.kind === 'schedule')) {
    const type = `type:${s.item.emit}`
    const near = edges.filter(e => e.from === type || e.to === type)
    const to = near.find(e => e.from === type && e.to === `handler:${s.name}`)
    if (near.length !== 2 || !to || !near.some(e => e.from === s.id)) continue
    nodes.delete(type)
    edges = edges.filter(e => !near.includes(e))
    edges.push({ from: s.id, to: to.to, how: 'publishes' })
  }
  return edges
}

// What an expression makes may be any type that begins alike. Those that something here publishes are not what it is for.
function withoutGuesses(nodes, edges) {
  const published = new Set(edges.filter(e => e.how !== 'matches' && e.how !== 'on').map(e => e.to))
  return edges.filter(e => nodes.get(e.from).kind !== 'computed' || e.how !== 'matches' || !published.has(e.to))
}

// A pattern that fits most types has an edge from each: it says how many instead.
function withoutCrowds(nodes, edges) {
  for (const p of nodes.values()) {
    if (p.kind !== 'pattern') continue
    const fits = edges.filter(e => e.to === p.id && e.how === 'matches')
    if (fits.length <= crowded) continue
    p.small = `fits ${fits.length} types`
    edges = edges.filter(e => !fits.includes(e))
  }
  return edges
}

/** The ids of the nodes that lead to a node, or are led to from it. */
function around(edges, id) {
  const all = new Set([id])
  for (const [from, to] of [['from', 'to'], ['to', 'from']]) {
    const been = new Set([id])
    const next = [id]
    while (next.length) {
      const at = next.pop()
      for (const e of edges) {
        if (e[from] !== at || been.has(e[to])) continue
        been.add(e[to])
        all.add(e[to])
        next.push(e[to])
      }
    }
  }
  return all
}

const cut = (text, length) => text.length > length ? `${text.slice(0, Math.floor(length) - 1)}…` : text
const short = name => cut(name, most)

/** Gives nodes and edges their places. Parts that have nothing to do with each other stand below each other, as many beside each other as there is room for. */
export function place({ nodes, edges }, width) {
  for (const n of nodes.values()) {
    n.label = short(n.name)
    n.width = Math.max(n.label.length, (n.small ?? '').length * .85, n.kind === 'handler' ? 19 : 6) * letter + 26
    n.height = n.kind === 'handler' ? 46 : n.small ? 40 : 28
  }
  const parts = components(nodes, edges).map(part => {
    const g = new Graph({ multigraph: true })
    g.setGraph({ rankdir: 'LR', nodesep: 14, ranksep: 36, marginx: 4, marginy: 4 })
    g.setDefaultEdgeLabel(() => ({}))
    for (const n of part.nodes) g.setNode(n.id, { width: n.width, height: n.height })
    part.edges.forEach((e, i) => g.setEdge(e.from, e.to, { weight: e.how === 'matches' ? 1 : 3 }, String(i)))
    layout(g)
    const size = g.graph()
    return { ...part, g, width: size.width || 0, height: size.height || 0 }
  })
  parts.sort((a, b) => b.height - a.height || b.width - a.width)
  const wide = Math.max(width, ...parts.map(p => p.width))
  let x = 0
  let y = 0
  let row = 0
  let all = { width: 0, height: 0 }
  for (const p of parts) {
    if (x > 0 && x + p.width > wide) {
      x = 0
      y += row + gap
      row = 0
    }
    for (const n of p.nodes) {
      const at = p.g.node(n.id)
      n.x = x + at.x
      n.y = y + at.y
    }
    p.edges.forEach((e, i) => {
      e.points = p.g.edge(e.from, e.to, String(i)).points.map(at => ({ x: x + at.x, y: y + at.y }))
    })
    all = { width: Math.max(all.width, x + p.width), height: Math.max(all.height, y + p.height) }
    x += p.width + gap
    row = Math.max(row, p.height)
  }
  return all
}

function components(nodes, edges) {
  const of = new Map([...nodes.keys()].map(id => [id, id]))
  const root = id => {
    while (of.get(id) !== id) id = of.get(id)
    return id
  }
  for (const e of edges) of.set(root(e.from), root(e.to))
  const parts = new Map()
  for (const n of nodes.values()) {
    const id = root(n.id)
    if (!parts.has(id)) parts.set(id, { nodes: [], edges: [] })
    parts.get(id).nodes.push(n)
  }
  for (const e of edges) parts.get(root(e.from)).edges.push(e)
  return [...parts.values()]
}

// A curve through the points of an edge: straight lines, rounded at each point.
function curve(points) {
  const [first, ...rest] = points
  const at = p => `${p.x.toFixed(1)} ${p.y.toFixed(1)}`
  let path = `M${at(first)}`
  rest.forEach((p, i) => {
    const next = rest[i + 1]
    path += next ? `Q${at(p)} ${at({ x: (p.x + next.x) / 2, y: (p.y + next.y) / 2 })}` : `L${at(p)}`
  })
  return path
}

/**
 * A picture of a placed graph that can be moved, enlarged, and walked through by keys. select is called with a node, or null; open with the node that is
 * opened by Enter or a click on the selected one.
 */
export class Picture {
  constructor({ select, open }) {
    this.select = select
    this.open = open
    this.scene = svg('g')
    this.svg = svg('svg', { class: 'graph', tabindex: '0', role: 'application', 'aria-roledescription': 'graph', 'aria-label': 'The wiring: arrow keys go from node to node' },
      svg('defs', {}, ['', 'on'].map(name => svg('marker', { id: `arrow${name}`, class: name, viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' }, svg('path', { d: 'M0 0.5L8 4L0 7.5z' })))),
      this.scene)
    this.said = h('p', { class: 'sr', 'aria-live': 'polite' })
    this.view = { x: 0, y: 0, k: 1 }
    this.chosen = null
    this.listen()
  }

  get elements() {
    return [this.svg, this.said]
  }

  /** Draws a graph that has been placed. */
  draw(graph, size) {
    this.graph = graph
    this.size = size
    this.boxes = new Map()
    this.lines = graph.edges.map(e => ({ e, element: svg('path', { class: `edge ${e.how}`, d: curve(e.points), 'marker-end': 'url(#arrow)' }, svg('title', {}, `${e.from} ${e.how} ${e.to}`)) }))
    for (const n of graph.nodes.values()) this.boxes.set(n.id, this.box(n))
    this.scene.replaceChildren(...this.lines.map(l => l.element), ...this.boxes.values())
    if (this.chosen && !graph.nodes.has(this.chosen.id)) this.choose(null)
  }

  box(n) {
    const box = svg('g', { class: `node ${n.kind}${n.item.disabled ? ' off' : ''}`, transform: `translate(${n.x - n.width / 2} ${n.y - n.height / 2})`, 'data-id': n.id },
      svg('title', {}, n.name),
      svg('rect', { width: n.width, height: n.height, rx: { type: 14, computed: 14, pattern: 14, handler: 6, schedule: 3, hook: 3 }[n.kind] }),
      svg('text', { x: 13, y: n.height > 30 ? 18 : 18.5 }, n.label),
      n.height > 30 && svg('text', { x: 13, y: n.height - 9, class: 'small' }, n.small ?? ''))
    return box
  }

  /** Puts a second line under the name of a node, and a class on it. */
  note(id, text, mark = '') {
    const box = this.boxes?.get(id)
    const small = box?.querySelector('.small')
    const shown = small && cut(text, (this.graph.nodes.get(id).width - 20) / smallLetter)
    if (small && small.textContent !== shown) small.textContent = shown
    if (box && box.dataset.mark !== mark) box.dataset.mark = mark
  }

  listen() {
    const at = new Map() // pointers that are down
    let moved = 0
    this.svg.addEventListener('pointerdown', event => {
      at.set(event.pointerId, event)
      moved = 0
    })
    this.svg.addEventListener('pointermove', event => {
      const before = at.get(event.pointerId)
      if (!before) return
      const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY]
      moved += Math.abs(dx) + Math.abs(dy)
      if (moved > 4) this.svg.setPointerCapture(event.pointerId)
      if (at.size === 2) {
        const other = [...at.values()].find(e => e.pointerId !== event.pointerId)
        const apart = e => Math.hypot(e.clientX - other.clientX, e.clientY - other.clientY)
        this.zoom(apart(event) / Math.max(1, apart(before)), other)
      } else this.move(dx, dy)
      at.set(event.pointerId, event)
    })
    for (const name of ['pointerup', 'pointercancel']) this.svg.addEventListener(name, event => at.delete(event.pointerId))
    this.svg.addEventListener('click', event => {
      if (moved > 4) return
      const id = event.target.closest('.node')?.dataset.id
      this.choose(id ? this.graph.nodes.get(id) : null)
    })
    this.svg.addEventListener('dblclick', event => {
      const id = event.target.closest('.node')?.dataset.id
      if (id) this.open(this.graph.nodes.get(id))
    })
    this.svg.addEventListener('wheel', event => {
      if (!event.ctrlKey && !event.metaKey) return
      event.preventDefault()
      this.zoom(Math.exp(-event.deltaY / 300), event)
    }, { passive: false })
    this.svg.addEventListener('keydown', event => this.key(event))
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
    const acts = {
      '+': () => this.zoom(1.25), '=': () => this.zoom(1.25), '-': () => this.zoom(.8), 0: () => this.fit(),
      Enter: () => this.chosen && this.open(this.chosen), Escape: () => this.choose(null),
    }
    const way = ways[event.key]
    if (!way && !acts[event.key]) return
    event.preventDefault()
    event.stopPropagation()
    if (!way) acts[event.key]()
    else if (event.shiftKey) this.move(-60 * way[0], -60 * way[1])
    else this.step(...way)
  }

  // The next node in a direction: the nearest, where what lies aside counts more.
  step(dx, dy) {
    const from = this.chosen ?? { x: -1e4 * dx, y: -1e4 * dy }
    let best = null
    let least = Infinity
    for (const n of this.graph.nodes.values()) {
      if (n === this.chosen) continue
      const [ahead, aside] = dx ? [(n.x - from.x) * dx, Math.abs(n.y - from.y)] : [(n.y - from.y) * dy, Math.abs(n.x - from.x)]
      if (this.chosen && ahead <= 4) continue
      const far = this.chosen ? ahead + 2.5 * aside : n.x + n.y
      if (far < least) [best, least] = [n, far]
    }
    if (best) this.choose(best, true)
  }

  /** Marks a node with what is around it; null: none. */
  choose(node, seen = false) {
    this.chosen = node
    const near = node ? around(this.graph.edges, node.id) : null
    this.svg.classList.toggle('choosing', !!node)
    for (const [id, box] of this.boxes ?? []) {
      box.classList.toggle('near', !!near?.has(id))
      box.classList.toggle('chosen', node?.id === id)
    }
    for (const { e, element } of this.lines ?? []) {
      const on = !!near && near.has(e.from) && near.has(e.to)
      element.classList.toggle('near', on)
      element.setAttribute('marker-end', on ? 'url(#arrowon)' : 'url(#arrow)')
    }
    this.select(node) // which may take room beside the picture
    if (node && seen) {
      this.show(node)
      this.said.textContent = `${node.kind} ${node.name}`
    }
  }

  /** How high the picture should be to show all of its graph, at the size at which it is shown first. */
  wantedHeight() {
    const wide = (this.width - 32) / this.size.width
    return this.size.height * Math.min(1, wide >= fits ? wide : least) + 40
  }

  get width() { return this.svg.clientWidth || 800 }
  get height() { return this.svg.clientHeight || 500 }

  move(dx, dy) {
    this.view.x += dx
    this.view.y += dy
    this.apply()
  }

  /** Enlarges around a pointer, or the middle. */
  zoom(by, around) {
    const box = this.svg.getBoundingClientRect()
    const [x, y] = around ? [around.clientX - box.left, around.clientY - box.top] : [this.width / 2, this.height / 2]
    const k = Math.min(2.5, Math.max(.08, this.view.k * by))
    by = k / this.view.k
    this.view = { k, x: x - (x - this.view.x) * by, y: y - (y - this.view.y) * by }
    this.apply()
  }

  /** Shows the whole graph; with legible, no smaller than can be read. */
  fit(legible = false) {
    const room = 16
    const wide = Math.min(1, (this.width - 2 * room) / this.size.width)
    let k = Math.min((this.width - 2 * room) / this.size.width, (this.height - 2 * room) / this.size.height, 1)
    if (legible) k = Math.max(k, wide >= fits ? wide : least)
    const left = (this.width - this.size.width * k) / 2
    const top = (this.height - this.size.height * k) / 2
    this.view = { k, x: Math.max(room, left), y: Math.max(room, top) }
    this.apply()
  }

  /** Moves so that a node can be seen. */
  show(n) {
    const { x, y, k } = this.view
    const [left, top] = [n.x * k + x, n.y * k + y]
    const room = 60
    if (left < room || left > this.width - room) this.view.x += this.width / 2 - left
    if (top < room || top > this.height - room) this.view.y += this.height / 2 - top
    this.apply()
  }

  apply() {
    const { x, y, k } = this.view
    this.scene.setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${k.toFixed(4)})`)
  }
}
