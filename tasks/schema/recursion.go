package schema

import (
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/tasks/fault"
)

// applied goes through the parts that are applied to the same value as s, and ends where yield is false.
func applied(s *jsonschema.Schema, yield func(*jsonschema.Schema) bool) bool {
	for _, sub := range [...]*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else} {
		if sub != nil && !yield(sub) {
			return false
		}
	}
	for _, list := range [...][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, sub := range list {
			if !yield(sub) {
				return false
			}
		}
	}
	for _, sub := range s.DependentSchemas {
		if !yield(sub) {
			return false
		}
	}
	return true
}

// edge leads from a part to one that is applied to a member of its value.
type edge struct {
	from, to *jsonschema.Schema
	key      string // of an object's member; empty: of any other member
	list     bool   // to the items of an array
	index    int    // of the item; -1: to any
}

// inner gives the parts that are applied to what is in the value of s. Those for keys are not among them: a key is a string,
// and has no members.
func inner(s *jsonschema.Schema) (edges []edge) {
	object := func(key string, to *jsonschema.Schema) {
		if to != nil {
			edges = append(edges, edge{from: s, to: to, key: key})
		}
	}
	array := func(index int, to *jsonschema.Schema) {
		if to != nil {
			edges = append(edges, edge{from: s, to: to, list: true, index: index})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		object(name, s.Properties[name])
	}
	for _, to := range s.PatternProperties {
		object("", to)
	}
	additional, _ := s.AdditionalProperties.(*jsonschema.Schema)
	object("", additional)
	object("", s.UnevaluatedProperties)
	for i, to := range s.PrefixItems {
		array(i, to)
	}
	array(-1, s.Items2020)
	array(-1, s.Contains)
	array(-1, s.UnevaluatedItems)
	return edges
}

// meets says whether two edges can lead to one member of a value. A part's own properties, additionalProperties and
// unevaluatedProperties share the members out among them, and so do prefixItems, items and unevaluatedItems.
func (e edge) meets(o edge) bool {
	switch {
	case e.list != o.list:
		return false
	case e.from == o.from && e.to != e.from.Contains && o.to != o.from.Contains && len(e.from.PatternProperties) == 0:
		return false
	case e.list:
		return e.index == o.index || e.index < 0 || o.index < 0
	}
	return e.key == o.key || e.key == "" || o.key == ""
}

// parts gives all parts of a schema.
func parts(root *jsonschema.Schema) []*jsonschema.Schema {
	seen := map[*jsonschema.Schema]bool{}
	var all []*jsonschema.Schema
	add := func(s *jsonschema.Schema) bool {
		if s != nil && !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
		return true
	}
	add(root)
	for i := 0; i < len(all); i++ {
		applied(all[i], add)
		for _, e := range inner(all[i]) {
			add(e.to)
		}
		add(all[i].PropertyNames)
	}
	return all
}

// checkRecursion refuses a schema that is applied to a value while it is being applied to it, which would have no end, and
// one that leads back to itself in two ways for the same value, which takes 2ⁿ steps for n levels of data.
func checkRecursion(all []*jsonschema.Schema, place func(*jsonschema.Schema) []any) *fault.Fault {
	r := recursion{order: map[*jsonschema.Schema]int{}, group: map[*jsonschema.Schema]int{}}
	for _, s := range all {
		if r.order[s] == 0 {
			r.visit(s)
		}
	}
	for _, s := range all {
		w := ways{group: r.group, seen: map[*jsonschema.Schema]int{}}
		w.from(s)
		if w.endless != nil {
			return fault.At(place(w.endless), "this schema refers to itself without end").Hinting("let it refer to itself from within a property or an item")
		}
		if w.second != nil {
			return fault.At(place(w.second), "this schema leads back to itself a second time for the same value: each level of the data would double the work").
				Hinting("let only one alternative lead back, and put what they share beside them")
		}
	}
	return nil
}

// recursion groups the parts that lead to each other (Tarjan's strongly connected components).
type recursion struct {
	order map[*jsonschema.Schema]int // in which the parts were found, from 1
	group map[*jsonschema.Schema]int // the order of the group's first part; 0: it leads nowhere back, or is under way
	stack []*jsonschema.Schema
}

// visit gives the first part that s leads back to.
func (r *recursion) visit(s *jsonschema.Schema) (first int) {
	r.order[s] = len(r.order) + 1
	first, place := r.order[s], len(r.stack)
	r.stack = append(r.stack, s)
	next := func(to *jsonschema.Schema) bool {
		if r.order[to] == 0 {
			first = min(first, r.visit(to))
		} else if r.group[to] == 0 {
			first = min(first, r.order[to])
		}
		return true
	}
	applied(s, next)
	for _, e := range inner(s) {
		next(e.to)
	}
	if first == r.order[s] {
		for _, member := range r.stack[place:] {
			r.group[member] = first
		}
		r.stack = r.stack[:place]
	}
	return first
}

// ways collects how a part leads back to itself: over the parts of its group that are applied to the same value, and from
// there to members.
type ways struct {
	group           map[*jsonschema.Schema]int
	seen            map[*jsonschema.Schema]int // 1: under way, 2: done
	back            []edge
	endless, second *jsonschema.Schema
}

func (w *ways) from(s *jsonschema.Schema) {
	w.seen[s] = 1
	for _, e := range inner(s) {
		if w.group[e.to] != w.group[s] {
			continue
		}
		if w.second == nil && slices.ContainsFunc(w.back, e.meets) {
			w.second = e.from
		}
		w.back = append(w.back, e)
	}
	applied(s, func(sub *jsonschema.Schema) bool {
		switch {
		case w.group[sub] != w.group[s]:
		case w.seen[sub] == 1:
			w.endless = sub
		case w.seen[sub] == 2 && w.second == nil:
			w.second = sub
		case w.seen[sub] == 0:
			w.from(sub)
		}
		return w.endless == nil
	})
	w.seen[s] = 2
}
