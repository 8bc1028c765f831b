package schema

import (
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/tasks/fault"
)

// applied iterates over the parts that are applied to the same value as s.
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

// inner returns the parts that are applied to the members of the value of s. It leaves out propertyNames: a key is a string, and has no members.
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

// meets reports whether two edges can lead to the same member of a value. Within one part, properties, additionalProperties and unevaluatedProperties
// apply to different members, and so do prefixItems, items and unevaluatedItems.
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

// nextTo returns the parts that s leads to.
func nextTo(s *jsonschema.Schema) (next []*jsonschema.Schema) {
	applied(s, func(sub *jsonschema.Schema) bool {
		next = append(next, sub)
		return true
	})
	for _, e := range inner(s) {
		next = append(next, e.to)
	}
	if s.PropertyNames != nil {
		next = append(next, s.PropertyNames)
	}
	return next
}

// parts returns the given parts of a schema and all parts that they lead to, and adds them to seen; next returns the parts that one leads to.
func parts(seen map[*jsonschema.Schema]bool, next func(*jsonschema.Schema) []*jsonschema.Schema, from ...*jsonschema.Schema) (all []*jsonschema.Schema) {
	add := func(list []*jsonschema.Schema) {
		for _, s := range list {
			if !seen[s] {
				seen[s] = true
				all = append(all, s)
			}
		}
	}
	add(from)
	for i := 0; i < len(all); i++ {
		add(next(all[i]))
	}
	return all
}

// checkRecursion refuses a schema that applies itself to the same value, which would never end, and a schema that leads back to itself in two ways
// for the same value, which takes 2ⁿ steps for n levels of data.
func checkRecursion(all []*jsonschema.Schema, place func(*jsonschema.Schema) []any) *fault.Fault {
	known := make(map[*jsonschema.Schema][]*jsonschema.Schema, len(all))
	for _, s := range all {
		known[s] = nextTo(s)
	}
	next := func(s *jsonschema.Schema) []*jsonschema.Schema { return known[s] }
	reach := make(map[*jsonschema.Schema]map[*jsonschema.Schema]bool, len(all))
	for _, s := range all {
		reach[s] = map[*jsonschema.Schema]bool{}
		parts(reach[s], next, next(s)...)
	}
	for _, s := range all {
		w := ways{leadsBack: func(part *jsonschema.Schema) bool { return reach[s][part] && reach[part][s] }, seen: map[*jsonschema.Schema]bool{}}
		switch w.from(s); {
		case w.endless != nil:
			return fault.At(place(w.endless), "this schema refers to itself without end").Hinting("let it refer to itself from within a property or an item")
		case w.second != nil:
			return fault.At(place(w.second), "this schema leads back to itself a second time for the same value: each level of the data would double the work").
				Hinting("let only one alternative lead back, and put what they share beside them")
		}
	}
	return nil
}

// ways collects the ways in which a part leads back to itself: through parts that are applied to the same value, and from there to members.
type ways struct {
	leadsBack       func(*jsonschema.Schema) bool
	seen            map[*jsonschema.Schema]bool // false: under way
	back            []edge
	endless, second *jsonschema.Schema
}

func (w *ways) from(s *jsonschema.Schema) {
	w.seen[s] = false
	for _, e := range inner(s) {
		if !w.leadsBack(e.to) {
			continue
		}
		if w.second == nil && slices.ContainsFunc(w.back, e.meets) {
			w.second = e.from
		}
		w.back = append(w.back, e)
	}
	applied(s, func(sub *jsonschema.Schema) bool {
		done, seen := w.seen[sub]
		switch {
		case !w.leadsBack(sub):
		case !seen:
			w.from(sub)
		case !done:
			w.endless = sub
		case w.second == nil:
			w.second = sub
		}
		return w.endless == nil
	})
	w.seen[s] = true
}
