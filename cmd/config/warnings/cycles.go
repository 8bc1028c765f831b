package warnings

import (
	"fmt"
	"slices"
	"strings"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/fault"
)

// cycles finds handlers that cause each other endlessly. A handler with a condition may end a cycle, so such cycles are not reported.
func (f *finder) cycles() {
	c := &cycleSearch{finder: f, state: map[any]visit{}}
	for _, h := range f.Handlers {
		c.visit(h)
	}
}

type visit int8

const (
	onPath visit = iota + 1
	done
)

// cycleSearch is a depth-first search over handlers, the types that they emit and the patterns that match these. A node that
// leads back to one on the current path closes a cycle. Each node is visited once.
type cycleSearch struct {
	*finder
	state map[any]visit // of *tasks.Handler, type (string) and events.Pattern
	path  []any         // of *tasks.Handler, emitted and events.Pattern
}

func (c *cycleSearch) visit(node any) {
	key := node
	if e, ok := node.(emitted); ok {
		key = e.typ
	}
	switch c.state[key] {
	case done:
		return
	case onPath:
		c.warnOf(append(slices.Clip(c.path), node), key)
		return
	}
	c.state[key] = onPath
	c.path = append(c.path, node)
	switch n := node.(type) {
	case *tasks.Handler:
		if n.When == nil || c.always(n.When) {
			types, _ := emittedBy(n)
			for _, e := range types {
				if e.entry = n; e.field != "on_dead" { // a run that succeeds ends the cycle
					c.visit(e)
				}
			}
		}
	case emitted:
		for _, p := range c.router.Match(n.typ, nil) {
			c.visit(p)
		}
	case events.Pattern:
		for _, h := range c.on[n] {
			c.visit(h)
		}
	}
	c.path = c.path[:len(c.path)-1]
	c.state[key] = done
}

// warnOf warns of the cycle at the end of a path, which leads from a node back to the same one.
func (c *cycleSearch) warnOf(path []any, back any) {
	start := slices.IndexFunc(path, func(node any) bool {
		e, ok := node.(emitted)
		return node == back || ok && e.typ == back
	})
	cycle := path[start+1:] // it ends with its first node
	first := -1             // its first handler in the file
	for i, node := range cycle {
		if h, ok := node.(*tasks.Handler); ok && (first < 0 || c.Place(h).Start < c.Place(cycle[first]).Start) {
			first = i
		}
	}
	var steps []emitted
	for i := range cycle {
		if e, ok := cycle[(first+i)%len(cycle)].(emitted); ok {
			steps = append(steps, e)
		}
	}
	var b strings.Builder
	b.WriteString(steps[len(steps)-1].typ)
	for _, e := range steps {
		fmt.Fprintf(&b, " → %s → %s", e.entry.(*tasks.Handler).Name, e.typ)
	}
	c.warn(steps[0].entry, steps[0].field, steps[0].typ, "these events cause each other without an end: "+fault.Clip(b.String(), 300),
		fmt.Sprintf("a chain is cut off after %d events; give one of the handlers a when that ends it", events.MaxHops))
}
