package web

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"evrun/cmd/api/shape"
)

// neighbour is what publishes events for a handler, or gets those that it publishes.
type neighbour struct {
	Kind, Name string // schedule, hook or handler
	Via        string // the type between the two, or what it is made of
	Dead       bool   // only where a run is dead
}

// Path is its page.
func (n neighbour) Path() string {
	switch n.Kind {
	case "hook":
		return "/wiring/hooks/" + url.PathEscape(n.Name)
	case "schedule":
		return "/schedules/" + url.PathEscape(n.Name)
	}
	return "/handlers/" + url.PathEscape(n.Name)
}

// surroundings are a handler of the wiring, and what is next to it.
type surroundings struct {
	*shape.WiredHandler
	From  []neighbour
	To    []neighbour
	Emits []string // the types that it publishes
}

// around returns what is next to a handler; nil: it is not wired.
func around(w *shape.Wiring, name string) *surroundings {
	i := slices.IndexFunc(w.Handlers, func(h shape.WiredHandler) bool { return h.Name == name })
	if i < 0 {
		return nil
	}
	s := &surroundings{WiredHandler: &w.Handlers[i]}
	before, after := map[string][]shape.WiredEdge{}, map[string][]shape.WiredEdge{}
	for _, e := range w.Edges {
		before[e.To], after[e.From] = append(before[e.To], e), append(after[e.From], e)
	}
	s.From = reach(before, s.ID, func(e shape.WiredEdge) string { return e.From })
	s.To = reach(after, s.ID, func(e shape.WiredEdge) string { return e.To })
	for _, e := range after[s.ID] {
		if _, typ, _ := strings.Cut(e.To, ":"); !slices.Contains(s.Emits, typ) {
			s.Emits = append(s.Emits, typ)
		}
	}
	return s
}

// reach goes from a handler over types and patterns to what is behind them.
func reach(edges map[string][]shape.WiredEdge, from string, next func(shape.WiredEdge) string) []neighbour {
	found := map[neighbour]bool{}
	var list []neighbour
	var walk func(id, via string, dead bool, seen map[string]bool)
	walk = func(id, via string, dead bool, seen map[string]bool) {
		for _, e := range edges[id] {
			to := next(e)
			kind, name, _ := strings.Cut(to, ":")
			dead := dead || e.How == "on_dead"
			switch kind {
			case "handler", "schedule", "hook":
				if n := (neighbour{kind, name, via, dead}); !found[n] {
					found[n] = true
					list = append(list, n)
				}
				continue
			}
			if !seen[to] {
				seen[to] = true
				if kind == "type" || via == "" {
					walk(to, name, dead, seen)
				} else {
					walk(to, via, dead, seen)
				}
			}
		}
	}
	walk(from, "", false, map[string]bool{})
	slices.SortStableFunc(list, func(a, b neighbour) int { return cmp.Or(cmp.Compare(a.Via, b.Via), cmp.Compare(a.Name, b.Name)) })
	return list
}
