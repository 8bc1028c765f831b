package config

import (
	"fmt"
	"time"

	"evrun/cmd/config/yaml"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
)

// warner looks for probable mistakes in a wiring without faults. Its work grows with the file, not with the pairs of its
// handlers.
type warner struct {
	wiringReader // the document that collects the warnings
	wiring       Wiring
	router       events.Router[events.Pattern] // all patterns that handlers have
	on           map[events.Pattern][]*tasks.Handler
	hintSteps    int // see maxHintSteps
}

// warnings returns the probable mistakes in the order of the file.
func (r *wiringReader) warnings(w Wiring) []Fault {
	collector := *r.document
	collector.faults = nil
	l := &warner{wiringReader: *r, wiring: w, on: map[events.Pattern][]*tasks.Handler{}}
	l.document = &collector
	for _, h := range w.Handlers {
		for _, p := range h.On {
			l.router.Add(p, p)
			l.on[p] = append(l.on[p], h)
		}
	}
	l.unhandled()
	l.unreachable()
	l.cycles()
	for _, h := range w.Handlers {
		l.handlerAlone(h)
		l.senderSequence(l.places[h], false)
	}
	for i := range collector.faults {
		collector.faults[i].Warning = true
	}
	return collector.sorted()
}

// warn records a warning at a key of a schedule or a handler, or at the item with this text in the key's list.
func (l *warner) warn(entry any, field, item, msg, hint string) {
	n := l.places[entry]
	name, value := lookup(n, field)
	if name == nil {
		l.head(n, msg, hint)
		return
	}
	l.at(scalarOf(value, item, name), msg, hint)
}

// scalarOf finds the scalar with this text in a tree; if there is none, it returns other.
func scalarOf(n *yaml.Node, text string, other *yaml.Node) *yaml.Node {
	if n.Kind == yaml.Scalar {
		if n.Value == text {
			return n
		}
		return other
	}
	for _, c := range n.Content {
		if found := scalarOf(c, text, nil); found != nil {
			return found
		}
	}
	return other
}

// emitted is a type that a schedule or a handler emits, with the key that names it.
type emitted struct {
	typ          string
	entry        any // the schedule or the handler
	field, whose string
	data         any // if it is known
	known        bool
}

// emitted lists the constant emitted types. open reports whether others are computed.
func (l *warner) emitted() (list []emitted, open bool) {
	for _, s := range l.wiring.Schedules {
		e := emitted{typ: s.Type, entry: s, field: "emit", whose: fmt.Sprintf("the schedule %q", s.Name), known: s.Data == nil}
		if s.Data != nil { // without, the event has none
			e.data, e.known = s.Data.Constant()
		}
		list = append(list, e)
	}
	for _, h := range l.wiring.Handlers {
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

// unhandled finds types that are declared or emitted and that no handler is wired to. Each is reported once, where it is first
// emitted.
func (l *warner) unhandled() {
	var wired []string
	for _, h := range l.wiring.Handlers {
		for _, p := range h.On {
			if typ, ok := p.Literal(); ok {
				wired = append(wired, typ)
			}
		}
	}
	known := map[string]bool{}
	lost := func(typ string, fit func(typ string) bool) (hint string, ok bool) {
		if l.full() || known[typ] || len(l.router.Match(typ, nil)) > 0 {
			return "", false
		}
		known[typ] = true
		return l.meant(typ, wired, fit, "wire a handler to it, if something is to be done about it"), true
	}
	list, _ := l.emitted()
	for _, e := range list {
		if hint, ok := lost(e.typ, func(typ string) bool { return l.canEmit(e, typ) }); ok {
			l.warn(e.entry, e.field, e.typ, fmt.Sprintf("no handler is wired to %s, which %s emits", fault.Quote(e.typ), e.whose), hint)
		}
	}
	for _, t := range l.wiring.Events {
		if hint, ok := lost(t.Type, func(typ string) bool { return l.types[typ] == nil && !events.Reserved(typ) }); ok {
			name, _ := lookup(l.events, t.Type)
			l.at(name, "no handler is wired to "+fault.Quote(t.Type), hint)
		}
	}
}

// unreachable finds patterns that no known type matches. Events come from outside, too, so it looks only at a file that declares
// its types: there, an undeclared type is probably misspelt or forgotten.
func (l *warner) unreachable() {
	list, open := l.emitted()
	if len(l.wiring.Events) == 0 || open {
		return
	}
	var known []string
	for _, t := range l.wiring.Events {
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
		for _, p := range l.router.Match(typ, nil) {
			reached[p] = true
		}
	}
	for _, h := range l.wiring.Handlers {
		for _, p := range h.On {
			if l.full() {
				return
			}
			if !reached[p] {
				l.warn(h, "on", p.String(), fmt.Sprintf("no known type matches %s: none under events, and none that a schedule or a handler emits", fault.Quote(p.String())),
					l.meant(p.String(), known, func(typ string) bool { return l.canRunOn(h, typ) }, "declare the type under events, if it comes from outside"))
			}
		}
	}
}

// always reports whether a condition is always true.
func always(when *expression.Expr) bool {
	v, ok := when.Constant()
	return ok && v == true
}

// handlerAlone checks one handler by itself.
func (l *warner) handlerAlone(h *tasks.Handler) {
	if u, ok := h.Action.(tasks.Unbounded); ok && h.Timeout <= 0 {
		l.warn(h, "do", h.Kind, fmt.Sprintf("%q has no timeout: %s that hangs keeps its place forever", h.Name, u.MayHang()), "give the handler a timeout, such as timeout: 1m")
	}
	if stating, ok := h.Action.(tasks.Stating); ok {
		if _, hold := stating.UserStatement(); hold > 0 {
			l.warn(h, "with", hold.String(), fmt.Sprintf("%q may hold the store for %v: meanwhile nobody else's event is accepted", h.Name, hold),
				"make its statement do less for one event, if it can; or give it a dsn of its own")
		}
	}
	if handlers.EventLeads(h.Action) {
		l.warn(h, "with", "", fmt.Sprintf("%q sends to where the event says: who publishes it chooses the service or the host", h.Name),
			"write them out, or take them from env()")
	}
	for _, f := range handlers.Doubts(h.Action, time.Now()) {
		_, with := lookup(l.places[h], "with")
		at, _, _ := follow(with, f.Path)
		l.at(at, f.Message, f.Hint)
	}
	if h.When == nil {
		return
	}
	switch v, ok := h.When.Constant(); {
	case ok && v == true:
		l.warn(h, "when", h.When.String(), "this condition is always true", "leave it out, or look at event or data")
	case ok && v == false:
		l.warn(h, "when", h.When.String(), "this condition is never true: the handler runs on nothing", "look at event or data")
	case ok:
		l.warn(h, "when", h.When.String(), "this condition is neither true nor false: each run would be dead", `compare it with something: data.x == "y"`)
	}
}
