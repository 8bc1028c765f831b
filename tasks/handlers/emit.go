package handlers

import (
	"fmt"
	"slices"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// emit is the kind emit: one event, or the list in events. Its result is {events: how many}.
type emit struct {
	Type    *expression.Template `key:"type,short" example:"something.happened" doc:"The type of the event to emit, as dot-separated words."`
	Subject *expression.Template `key:"subject" doc:"What the event is about."`
	Data    *expression.Value    `key:"data" doc:"The event's data. Left out, it is the data of the event that is handled; with for_each, the element."`
	ForEach *expression.List     `key:"for_each" other:"foreach,each,loop,items" example:"data.items" doc:"An expression for a list: one event for each element, at most 1000 in a run. The expressions in type, subject and data have the element as item, and its place from 0 as index."`
	Events  []emitInput          `key:"events" doc:"Several events to emit, in place of one: each with its type, subject, data and for_each."`
}

// emitInput is one of several events to emit.
type emitInput struct {
	_       struct{}             `owner:"an event"`
	Type    *expression.Template `key:"type,required" example:"something.happened" doc:"The type of the event to emit, as dot-separated words."`
	Subject *expression.Template `key:"subject" doc:"What the event is about."`
	Data    *expression.Value    `key:"data" doc:"The event's data. Left out, it is the data of the event that is handled; with for_each, the element."`
	ForEach *expression.List     `key:"for_each" other:"foreach,each,loop,items" doc:"An expression for a list: one event for each element. The expressions in type, subject and data have the element as item, and its place from 0 as index."`
}

// ScopeFor implements [fields.Scoped].
func (*emit) ScopeFor(scope string, given map[string]any) string {
	return emission.ScopeFor(scope, given)
}

// ScopeFor implements [fields.Scoped].
func (*emitInput) ScopeFor(scope string, given map[string]any) string {
	return emission.ScopeFor(scope, given)
}

// check accepts one event or a list of at least one. Constant types must be valid.
func (e *emit) check() []*fault.Fault {
	switch {
	case e.Events == nil && e.Type == nil:
		return []*fault.Fault{{Message: "neither type nor events is given", Hint: "name the type of the event to emit, or list several under events"}}
	case e.Events == nil:
		return checkEventType(e.Type, "type")
	case len(e.Events) == 0:
		return []*fault.Fault{{Path: []any{"events"}, Message: "the list is empty", Hint: "list the events to emit"}}
	}
	var faults []*fault.Fault
	for i := range e.Events {
		faults = append(faults, checkEventType(e.Events[i].Type, "events", i, "type")...)
	}
	for _, in := range []struct {
		name  string
		given bool
	}{{"type", e.Type != nil}, {"subject", e.Subject != nil}, {"data", e.Data != nil}, {"for_each", e.ForEach != nil}} {
		if in.given {
			faults = append(faults, &fault.Fault{Path: []any{in.name}, Key: true, Message: fmt.Sprintf("%s can't stand beside events", in.name),
				Hint: "move it into the list"})
		}
	}
	return faults
}

// checkEventType checks a constant type. A computed one is checked when it is emitted.
func checkEventType(t *expression.Template, path ...any) []*fault.Fault {
	typ, ok := t.Constant()
	if !ok {
		return nil
	}
	if events.Reserved(typ) {
		return []*fault.Fault{{Path: path, Message: fmt.Sprintf("types under %s are evrun's own", events.ReservedPrefix), Hint: "choose another name"}}
	}
	if err := events.CheckType(typ); err != nil {
		return []*fault.Fault{fault.Of(err).Within(path...)}
	}
	return nil
}

// Compute evaluates the events; the transaction that settles the run accepts them.
func (e *emit) Compute(d *tasks.Delivery) (any, error) {
	evs, err := e.drafts(d, false)
	if err != nil {
		return nil, err
	}
	forEach := slices.ContainsFunc(e.list(), func(in emitInput) bool { return in.ForEach != nil })
	return &emission.WithEvents{Events: evs, ForEach: forEach, Result: map[string]any{"events": len(evs)}}, nil
}

// list returns the events to emit.
func (e *emit) list() []emitInput {
	if e.Events != nil {
		return e.Events
	}
	return []emitInput{{Type: e.Type, Subject: e.Subject, Data: e.Data, ForEach: e.ForEach}}
}

func (e *emit) drafts(d *tasks.Delivery, masked bool) ([]emission.Draft, error) {
	list := e.list()
	evs := make([]emission.Draft, 0, len(list))
	for i := range list {
		var err error
		if evs, err = list[i].add(d, masked, evs); err != nil {
			if e.Events != nil {
				err = fmt.Errorf("events[%d].%w", i, err)
			}
			return nil, err
		}
	}
	return evs, nil
}

func (e *emit) types() []*expression.Template {
	var types []*expression.Template
	for _, one := range e.list() {
		types = append(types, one.Type)
	}
	return types
}

// add adds the event or, with a for_each, those of all elements.
func (e *emitInput) add(d *tasks.Delivery, masked bool, evs []emission.Draft) ([]emission.Draft, error) {
	if e.ForEach == nil {
		ev, err := e.eval(d, masked, ownData(d.Event))
		return append(evs, ev), err
	}
	if masked && e.ForEach.UsesSecret() {
		return append(evs, emission.Draft{Type: e.Type.String(), Data: expression.Masked}), nil
	}
	err := emission.ForEach(d.Env, e.ForEach, len(evs), func(_ int, item any) error {
		ev, err := e.eval(d, masked, item)
		evs = append(evs, ev)
		return err
	})
	return evs, err
}

// eval evaluates an event. data is the default for its data.
func (e *emitInput) eval(d *tasks.Delivery, masked bool, data any) (ev emission.Draft, err error) {
	text, value := (*expression.Template).Text, (*expression.Value).Eval
	if masked {
		text, value = (*expression.Template).Shown, (*expression.Value).Shown
	}
	if ev.Type, err = text(e.Type, d.Env); err != nil {
		return ev, fmt.Errorf("type: %w", err)
	}
	if e.Subject != nil {
		if ev.Subject, err = text(e.Subject, d.Env); err != nil {
			return ev, fmt.Errorf("subject: %w", err)
		}
	}
	if e.Data == nil {
		ev.Data = data
		return ev, nil
	}
	if ev.Data, err = value(e.Data, d.Env); err != nil {
		return ev, fmt.Errorf("data: %w", err)
	}
	return ev, nil
}

// ownData returns the event's data: as received if it is JSON, else as a string.
func ownData(e *events.Event) any {
	switch {
	case len(e.Data) == 0:
		return nil
	case e.IsJSON():
		return e.Data
	}
	return string(e.Data)
}
