package wiring

import (
	"cmp"
	"slices"

	"evrun/cmd/api/shape"
	"evrun/cmd/config"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/handlers"
	"evrun/tasks/schedule"
)

// The ways of edges.
const (
	publishes = "publishes"
	emits     = "emits"
	onDead    = "on_dead"
	on        = "on"
	matches   = "matches"
)

// Graph returns the graph of the running wiring. Its lists are in the order of the file; types are in order. As in the files, texts that are known to be
// secrets are removed: who may only read sees it, too.
func (w *Wiring) Graph() shape.Wiring {
	running := w.o.Current()
	made, redact := graphOf(running.Wiring), running.Secrets.Redact
	for i := range made.Types {
		made.Types[i].Description = redact(made.Types[i].Description)
	}
	for i := range made.Handlers {
		h := &made.Handlers[i]
		h.When, h.OrderBy, h.Description = redact(h.When), redact(h.OrderBy), redact(h.Description)
	}
	for i := range made.Schedules {
		made.Schedules[i].Description = redact(made.Schedules[i].Description)
	}
	for i := range made.Hooks {
		made.Hooks[i].Description = redact(made.Hooks[i].Description)
	}
	return made
}

// grapher collects the nodes and the edges of a graph.
type grapher struct {
	types    map[string]*shape.WiredType // by their ids
	edges    map[shape.WiredEdge]bool
	computed map[string]*hook.Hook // what makes types, by the ids of their nodes
	patterns []events.Pattern      // with wildcards
	order    []shape.WiredEdge
}

func graphOf(w config.Wiring) shape.Wiring {
	g := &grapher{types: map[string]*shape.WiredType{}, edges: map[shape.WiredEdge]bool{}, computed: map[string]*hook.Hook{}}
	made := shape.Wiring{Types: []shape.WiredType{}, Handlers: []shape.WiredHandler{}, Schedules: []shape.WiredSchedule{}, Hooks: []shape.WiredHook{}}
	jobs := map[string]bool{}
	for _, t := range w.Events {
		node := g.typ(t.Type)
		node.Declared, node.Final, node.Description = true, t.Final, t.Description
	}
	for _, s := range w.Schedules {
		jobs[s.Name] = s.Do != ""
		node := scheduleOf(s)
		made.Schedules = append(made.Schedules, node)
		g.edge(node.ID, g.typ(s.Type).ID, publishes)
	}
	for _, h := range w.Hooks {
		node := shape.WiredHook{ID: "hook:" + h.Name, Name: h.Name, Path: h.Path(), Type: h.Type.String(), Description: h.Description, Labels: h.Labels}
		made.Hooks = append(made.Hooks, node)
		g.edge(node.ID, g.made(h.Type), publishes)
	}
	for _, h := range w.Handlers {
		node := handlerOf(h)
		node.Schedule = jobs[h.Name]
		made.Handlers = append(made.Handlers, node)
		g.handler(node.ID, h)
	}
	g.match()
	for _, t := range g.types {
		made.Types = append(made.Types, *t)
	}
	slices.SortFunc(made.Types, func(a, b shape.WiredType) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID)) })
	made.Edges = g.order
	if made.Edges == nil {
		made.Edges = []shape.WiredEdge{}
	}
	return made
}

func scheduleOf(s *schedule.Entry) shape.WiredSchedule {
	return shape.WiredSchedule{ID: "schedule:" + s.Name, Name: s.Name, Emit: s.Type, When: s.Timing.Describe(), Description: s.Description, Labels: s.Labels}
}

func handlerOf(h *tasks.Handler) shape.WiredHandler {
	node := shape.WiredHandler{ID: "handler:" + h.Name, Name: h.Name, Do: h.Kind, Attempts: h.WithDefaults().Retry.Attempts, Disabled: h.Disabled, Description: h.Description, Labels: h.Labels,
		On: make([]string, 0, len(h.On))}
	for _, p := range h.On {
		node.On = append(node.On, p.String())
	}
	if h.When != nil {
		node.When = h.When.String()
	}
	if h.OrderBy != nil {
		node.OrderBy = h.OrderBy.String()
	}
	if h.Timeout > 0 {
		node.Timeout = h.Timeout.String()
	}
	return node
}

// handler adds what a handler waits for and emits.
func (g *grapher) handler(id string, h *tasks.Handler) {
	for _, p := range h.On {
		if typ, literal := p.Literal(); literal {
			g.edge(g.typ(typ).ID, id, on)
			continue
		}
		node := "pattern:" + p.String()
		if g.types[node] == nil {
			g.types[node] = &shape.WiredType{ID: node, Type: p.String(), Pattern: true, Own: events.Reserved(p.String())}
			g.patterns = append(g.patterns, p)
		}
		g.edge(node, id, on)
	}
	for _, t := range handlers.EmittedTypes(h.Action) {
		g.edge(id, g.made(t), emits)
	}
	for i := range h.Emit {
		g.edge(id, g.made(h.Emit[i].Type), emits)
	}
	if h.OnDead != nil {
		g.edge(id, g.made(h.OnDead.Type), onDead)
	}
}

// typ is the node of a type.
func (g *grapher) typ(name string) *shape.WiredType {
	id := "type:" + name
	if g.types[id] == nil {
		g.types[id] = &shape.WiredType{ID: id, Type: name, Own: events.Reserved(name)}
	}
	return g.types[id]
}

// made is the id of the node of what a template makes.
func (g *grapher) made(t *expression.Template) string {
	if text, constant := t.Constant(); constant {
		return g.typ(text).ID
	}
	id := "computed:" + t.String()
	if g.types[id] == nil {
		g.types[id] = &shape.WiredType{ID: id, Type: t.String(), Computed: true}
		g.computed[id] = &hook.Hook{Type: t}
	}
	return id
}

// match adds the edges of types that fit a pattern, and of those that an expression may make. A computed type of which nothing is known may be any: that
// would be an edge to each, and says nothing.
func (g *grapher) match() {
	ids := make([]string, 0, len(g.types))
	for id := range g.types {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		t := g.types[id]
		made := g.computed[id]
		if t.Pattern || t.Computed && made.Type.Prefix() == "" {
			continue
		}
		for _, p := range g.patterns {
			if t.Computed && made.CanEmit(p) || !t.Computed && p.Match(t.Type) {
				g.edge(id, "pattern:"+p.String(), matches)
			}
		}
		if !t.Computed {
			continue
		}
		for _, other := range ids {
			o := g.types[other]
			if p, err := events.ParsePattern(o.Type); err == nil && !o.Pattern && !o.Computed && made.CanEmit(p) {
				g.edge(id, other, matches)
			}
		}
	}
}

// edge adds an edge, once.
func (g *grapher) edge(from, to, how string) {
	e := shape.WiredEdge{From: from, To: to, How: how}
	if !g.edges[e] {
		g.edges[e] = true
		g.order = append(g.order, e)
	}
}
