package handlers

import (
	"fmt"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// emit is the kind emit: one event, or the list in events. Its result is {events: how many}.
type emit struct {
	Type    *expression.Template `key:"type" example:"something.happened" doc:"The type of the event to emit, as dot-separated words."`
	Subject *expression.Template `key:"subject" doc:"What the event is about."`
	Data    *expression.Value    `key:"data" doc:"The event's data. Left out, it is the data of the event that is handled."`
	Events  []emitInput          `key:"events" doc:"Several events to emit, in place of one: each with its type, subject and data."`
}

// emitInput is one of several events to emit.
type emitInput struct {
	_       struct{}             `owner:"an event"`
	Type    *expression.Template `key:"type,required" example:"something.happened" doc:"The type of the event to emit, as dot-separated words."`
	Subject *expression.Template `key:"subject" doc:"What the event is about."`
	Data    *expression.Value    `key:"data" doc:"The event's data. Left out, it is the data of the event that is handled."`
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
	}{{"type", e.Type != nil}, {"subject", e.Subject != nil}, {"data", e.Data != nil}} {
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
	return &emission.WithEvents{Events: evs, Result: map[string]any{"events": len(evs)}}, nil
}

// list returns the events to emit.
func (e *emit) list() []emitInput {
	if e.Events != nil {
		return e.Events
	}
	return []emitInput{{Type: e.Type, Subject: e.Subject, Data: e.Data}}
}

func (e *emit) drafts(d *tasks.Delivery, masked bool) ([]emission.Draft, error) {
	list := e.list()
	evs := make([]emission.Draft, len(list))
	for i := range list {
		var err error
		if evs[i], err = list[i].eval(d, masked); err != nil {
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

func (e *emitInput) eval(d *tasks.Delivery, masked bool) (ev emission.Draft, err error) {
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
		ev.Data = ownData(d.Event)
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
