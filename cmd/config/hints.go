package config

import (
	"slices"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/fault"
)

// A hint that is followed must not lead to the next fault, so a type is proposed only where it could stand.

// maxHintSteps bounds how far the hints of a file follow what its types cause. Afterwards they propose nothing.
const maxHintSteps = 100_000

// meant is a hint to the known type that was probably meant and that is fit to take the place of typ, else otherwise. A file
// with very many types gets none.
func (l *warner) meant(typ string, known []string, fit func(typ string) bool, otherwise string) string {
	for known = slices.Clone(known); len(known) <= 200; {
		hint := fault.DidYouMean(typ, known)
		i := slices.IndexFunc(known, func(k string) bool { return hint == didYouMean(k) })
		if i < 0 {
			return otherwise
		}
		if fit(known[i]) {
			return hint
		}
		known = slices.Delete(known, i, i+1)
	}
	return otherwise
}

// canEmit says whether what emits e could emit typ in its place: evrun and the file would take it, and it would cause no
// round.
func (l *warner) canEmit(e emitted, typ string) bool {
	if events.Reserved(typ) || l.strict && l.types[typ] == nil {
		return false
	}
	if t := l.types[typ]; t != nil && t.schema != nil && e.known {
		if violations, _ := t.schema.Check(e.data); len(violations) > 0 {
			return false
		}
	}
	h, ok := e.entry.(*tasks.Handler)
	if !ok {
		return true // a schedule is caused by nothing
	}
	own, _ := emittedBy(h)
	return !slices.ContainsFunc(own, func(o emitted) bool { return o.typ == typ }) &&
		!l.causes([]string{typ}, func(_ string, caused *tasks.Handler) bool { return caused == h })
}

// canRunOn says whether h could be wired to typ as well, which it is not yet, and which nothing that it causes is.
func (l *warner) canRunOn(h *tasks.Handler, typ string) bool {
	if slices.ContainsFunc(h.On, func(p events.Pattern) bool { return p.Match(typ) }) {
		return false
	}
	own, _ := emittedBy(h)
	var types []string
	for _, e := range own {
		types = append(types, e.typ)
	}
	return !l.causes(types, func(caused string, _ *tasks.Handler) bool { return caused == typ })
}

// causes says whether events of these types, or what they cause in turn, meet a condition: a type and a handler that it goes
// to, nil for none. It doesn't see types that are computed.
func (l *warner) causes(types []string, found func(typ string, h *tasks.Handler) bool) bool {
	seen := map[any]bool{}
	for types = slices.Clone(types); len(types) > 0; {
		typ := types[len(types)-1]
		types = types[:len(types)-1]
		if seen[typ] {
			continue
		}
		if seen[typ] = true; found(typ, nil) {
			return true
		}
		for _, p := range l.router.Match(typ, nil) {
			if seen[p] {
				continue
			}
			seen[p] = true
			for _, h := range l.on[p] {
				if l.hintSteps++; l.hintSteps > maxHintSteps || found(typ, h) {
					return true
				}
				if seen[h] {
					continue
				}
				seen[h] = true
				own, _ := emittedBy(h)
				for _, e := range own {
					types = append(types, e.typ)
				}
			}
		}
	}
	return false
}
