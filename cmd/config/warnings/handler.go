package warnings

import (
	"fmt"

	"evrun/cmd/config/yaml"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
)

// maxConstants is how much work the conditions of a file may take which read nothing: of thousands, each as long as an expression may take, nobody waits for all.
const maxConstants = 5_000_000

// constant returns the value of a condition that is always the same. Each is evaluated once.
func (f *finder) constant(when *expression.Expr) (v any, ok bool) {
	if known, has := f.constants[when]; has {
		return known, known != nil
	}
	if f.constants == nil {
		f.constants, f.budget = map[*expression.Expr]any{}, expression.NewBudget(maxConstants, "the conditions of a file may take", "")
	}
	if v, ok = when.Constant(f.budget); !ok {
		v = nil
	}
	f.constants[when] = v
	return v, ok
}

// always reports whether a condition is always true.
func (f *finder) always(when *expression.Expr) bool {
	v, _ := f.constant(when)
	return v == true
}

// handlersAlone checks each handler by itself.
func (f *finder) handlersAlone() {
	seen := handlers.Seen{}
	for _, h := range f.Handlers {
		f.handlerAlone(h, seen)
	}
}

// doubts are those about the programs and files that a handler names.
func (f *finder) doubts(h *tasks.Handler, seen handlers.Seen) []*fault.Fault {
	if f.Sealed {
		return nil
	}
	return handlers.Doubts(h.Action, f.Now, seen)
}

// handlerAlone checks one handler by itself.
func (f *finder) handlerAlone(h *tasks.Handler, seen handlers.Seen) {
	if u, ok := h.Action.(tasks.Unbounded); ok && h.Timeout <= 0 {
		f.warn(h, "do", h.Kind, fmt.Sprintf("%q has no timeout: %s that hangs keeps its place forever", h.Name, u.MayHang()), "give the handler a timeout, such as timeout: 1m")
	}
	if stating, ok := h.Action.(tasks.Stating); ok && !f.Shared { // in PostgreSQL others go on
		if _, hold := stating.UserStatement(); hold > 0 {
			f.warn(h, "with", hold.String(), fmt.Sprintf("%q may hold the store for %v: meanwhile nobody else's event is accepted", h.Name, hold),
				"make its statement do less for one event, if it can; or give it a dsn of its own")
		}
	}
	if handlers.EventLeads(h.Action) {
		f.warn(h, "with", "", fmt.Sprintf("%q sends to where the event says: who publishes it chooses the service or the host", h.Name),
			"write them out, or take them from env()")
	}
	for _, d := range f.doubts(h, seen) {
		_, with := f.Place(h).Lookup("with")
		at, _, _ := with.Follow(d.Path)
		if d.Offset > 0 && at.Kind == yaml.Scalar {
			f.within(at, d.Offset, d.Offset+1, d.Message, d.Hint)
		} else {
			f.at(at, d.Message, d.Hint)
		}
	}
	if h.When == nil {
		return
	}
	switch v, ok := f.constant(h.When); {
	case ok && v == true:
		f.warn(h, "when", h.When.String(), "this condition is always true", "leave it out, or look at event or data")
	case ok && v == false:
		f.warn(h, "when", h.When.String(), "this condition is never true: the handler runs on nothing", "look at event or data")
	case ok:
		f.warn(h, "when", h.When.String(), "this condition is neither true nor false: each run would be dead", `compare it with something: data.x == "y"`)
	}
}
