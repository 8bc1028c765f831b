package warnings

import (
	"fmt"
	"slices"
	"strings"

	"evrun/cmd/hook"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
	"evrun/tasks/schedule"
)

// emitted is a type that a schedule, a hook or a handler emits, with the key that names it.
type emitted struct {
	typ          string
	entry        any // the schedule, the hook or the handler
	field, whose string
	data         any // if it is known
	known        bool
}

// emitted lists the constant emitted types. open reports whether others are computed.
func (f *finder) emitted() (list []emitted, open bool) {
	for _, s := range f.Schedules {
		e := emitted{typ: s.Type, entry: s, field: "emit", whose: fmt.Sprintf("the schedule %q", s.Name), known: s.Data == nil}
		if s.Data != nil { // without, the event has none
			e.data, e.known = s.Data.Constant()
		}
		list = append(list, e)
	}
	for _, h := range f.Hooks {
		typ, whole := h.Types()
		if !whole {
			continue // unreachable asks CanEmit
		}
		e := emitted{typ: typ, entry: h, field: "type", whose: fmt.Sprintf("the hook %q", h.Name)}
		if h.Data != nil {
			e.data, e.known = h.Data.Constant()
		}
		list = append(list, e)
	}
	for _, h := range f.Handlers {
		types, computed := emittedBy(h)
		open = open || computed
		for _, t := range types {
			t.entry, t.whose = h, fmt.Sprintf("the handler %q", h.Name)
			list = append(list, t)
		}
	}
	return list, open
}

// emittedBy lists the constant types that one handler emits.
func emittedBy(h *tasks.Handler) (list []emitted, computed bool) {
	add := func(field string, t *expression.Template, data *expression.Value) {
		typ, ok := t.Constant()
		if !ok {
			computed = true
			return
		}
		e := emitted{typ: typ, field: field}
		if data != nil {
			e.data, e.known = data.Constant()
		}
		list = append(list, e)
	}
	for _, t := range handlers.EmittedTypes(h.Action) {
		add("with", t, nil)
	}
	for i := range h.Emit {
		add("emit", h.Emit[i].Type, h.Emit[i].Data)
	}
	if h.OnDead != nil {
		add("on_dead", h.OnDead.Type, h.OnDead.Data)
	}
	return list, computed
}

// final finds handlers that are wired to a type that is declared to have none.
func (f *finder) final() {
	final := map[string]bool{}
	for _, t := range f.Events {
		final[t.Type] = t.Final
	}
	for _, h := range f.Handlers {
		for _, p := range h.On {
			if typ, ok := p.Literal(); ok && final[typ] {
				f.warn(h, "on", typ, fmt.Sprintf("%s is declared as final, and the handler %q is wired to it", fault.Quote(typ), h.Name), "leave final out under events")
			}
		}
	}
}

// unhandled finds types that are declared or emitted, are not final, and that no handler is wired to. Each is reported once, where it is first
// emitted.
func (f *finder) unhandled() {
	var wired []string
	for _, h := range f.Handlers {
		for _, p := range h.On {
			if typ, ok := p.Literal(); ok {
				wired = append(wired, typ)
			}
		}
	}
	known := map[string]bool{}
	for _, t := range f.Events {
		if t.Final {
			known[t.Type] = true // nobody is missing
			wired = append(wired, t.Type)
		}
	}
	otherwise := "wire a handler to it, if something must happen then"
	if len(f.Events) > 0 { // else a first declared type would make others suspicious: see unreachable
		otherwise += "; else declare it as final: true"
	}
	lost := func(typ string, fit func(typ string) bool) (hint string, ok bool) {
		if f.full() || known[typ] || len(f.router.Match(typ, nil)) > 0 {
			return "", false
		}
		known[typ] = true
		return f.meant(typ, wired, fit, otherwise), true
	}
	list, _ := f.emitted()
	for _, e := range list {
		if hint, ok := lost(e.typ, func(typ string) bool { return f.canEmit(e, typ) }); ok {
			f.warn(e.entry, e.field, e.typ, fmt.Sprintf("no handler is wired to %s, which %s emits", fault.Quote(e.typ), e.whose), hint)
		}
	}
	for _, t := range f.Events {
		if hint, ok := lost(t.Type, func(typ string) bool { return !f.declared(typ) && !events.Reserved(typ) }); ok {
			name, _ := f.Types.Lookup(t.Type)
			f.at(name, "no handler is wired to "+fault.Quote(t.Type), hint)
		}
	}
}

// unhandledHooks finds hooks of whose events, whatever their types are, no handler can get one.
func (f *finder) unhandledHooks() {
	for _, h := range f.Hooks {
		text, whole := h.Types()
		if whole || text == "" || f.full() { // unhandled knows whole types
			continue
		}
		wired := func(p events.Pattern) bool { return h.CanEmit(p) }
		declared := func(t emitter.EventType) bool { return t.Final && strings.HasPrefix(t.Type, text) }
		if !slices.ContainsFunc(f.Handlers, func(h *tasks.Handler) bool { return slices.ContainsFunc(h.On, wired) }) && !slices.ContainsFunc(f.Events, declared) {
			f.warn(h, "type", h.Type.String(), fmt.Sprintf("no handler is wired to a type that begins with %s, as those of the hook %q do", fault.Quote(text), h.Name),
				"wire a handler to them, such as on: "+pattern(text))
		}
	}
}

// pattern is one that matches all types that begin with a text.
func pattern(text string) string {
	if i := strings.LastIndexByte(text, '.'); i >= 0 {
		return text[:i] + ".>"
	}
	return "'>'"
}

// unreachable finds patterns that no known type matches. Events come from outside, too, so it looks only at a file that declares
// its types: there, an undeclared type is probably misspelt or forgotten.
func (f *finder) unreachable() {
	list, open := f.emitted()
	if len(f.Events) == 0 || open {
		return
	}
	var known []string
	for _, t := range f.Events {
		known = append(known, t.Type)
	}
	for _, e := range list {
		known = append(known, e.typ)
	}
	for _, t := range events.OwnTypes() {
		known = append(known, t.Type)
	}
	reached := map[events.Pattern]bool{}
	for _, typ := range known {
		for _, p := range f.router.Match(typ, nil) {
			reached[p] = true
		}
	}
	for _, h := range f.Handlers {
		for _, p := range h.On {
			if f.full() {
				return
			}
			if !reached[p] && !formerJob(h, p) && !slices.ContainsFunc(f.Hooks, func(h *hook.Hook) bool { return h.CanEmit(p) }) {
				f.warn(h, "on", p.String(), fmt.Sprintf("no known type matches %s: none under events, and none that a schedule, a hook or a handler emits", fault.Quote(p.String())),
					f.meant(p.String(), known, func(typ string) bool { return f.canRunOn(h, typ) }, "declare the type under events, if it comes from outside"))
			}
		}
	}
}

// formerJob reports whether a pattern is the type of a schedule with do before it was renamed.
func formerJob(h *tasks.Handler, p events.Pattern) bool {
	return h.Was != "" && p.String() == schedule.DoPrefix+h.Was
}
