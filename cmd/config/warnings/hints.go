package warnings

import (
	"slices"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/fault"
)

// A user who follows a hint must not get another fault, so a type is suggested only if the file would be valid with it.

// maxHintSteps bounds how many handlers the hints of a file check. After that they suggest nothing.
const maxHintSteps = 100_000

// meant returns a hint to the closest known type that could replace typ; without one, it returns otherwise. For a file with more than 200 types
// it suggests nothing.
func (f *finder) meant(typ string, known []string, fit func(typ string) bool, otherwise string) string {
	for known = slices.Clone(known); len(known) <= 200; {
		word := fault.Closest(typ, known)
		if word == "" {
			return otherwise
		}
		if fit(word) {
			return fault.Suggest(word)
		}
		known = slices.DeleteFunc(known, func(k string) bool { return k == word })
	}
	return otherwise
}

// canEmit reports whether the schedule or handler of e could emit typ instead: the type is allowed, and causes no cycle of events.
func (f *finder) canEmit(e emitted, typ string) bool {
	schema, declared := f.Declared(typ)
	if events.Reserved(typ) || f.StrictTypes && !declared {
		return false
	}
	if schema != nil && e.known {
		if violations, _ := schema.Check(e.data); len(violations) > 0 {
			return false
		}
	}
	h, ok := e.entry.(*tasks.Handler)
	if !ok {
		return true // no event causes a schedule
	}
	own, _ := emittedBy(h)
	return !slices.ContainsFunc(own, func(o emitted) bool { return o.typ == typ }) &&
		!f.causes([]string{typ}, func(_ string, caused *tasks.Handler) bool { return caused == h })
}

// canRunOn reports whether h could also be wired to typ: it is not yet wired to it, and does not cause it.
func (f *finder) canRunOn(h *tasks.Handler, typ string) bool {
	if slices.ContainsFunc(h.On, func(p events.Pattern) bool { return p.Match(typ) }) {
		return false
	}
	own, _ := emittedBy(h)
	var types []string
	for _, e := range own {
		types = append(types, e.typ)
	}
	return !f.causes(types, func(caused string, _ *tasks.Handler) bool { return caused == typ })
}

// causes reports whether an event of these types, or an event that it causes, meets a condition. The condition gets a type and a handler that is
// wired to it, or nil for the type alone. Computed types are not followed.
func (f *finder) causes(types []string, found func(typ string, h *tasks.Handler) bool) bool {
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
		for _, p := range f.router.Match(typ, nil) {
			if seen[p] {
				continue
			}
			seen[p] = true
			for _, h := range f.on[p] {
				if f.hintSteps++; f.hintSteps > maxHintSteps || found(typ, h) {
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
