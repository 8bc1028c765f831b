package emitter

import (
	"fmt"
	"maps"
	"slices"

	"evrun/events"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/schema"
)

// EventType is a declared type of event.
type EventType struct {
	Type        string
	Description string
	Schema      *schema.Schema // of its data; nil: any data
	Final       bool           // no handler is wired to it, and that is as it should be
	Version     string         // changes when its text in the wiring file changes
}

// Declare sets the declared types. If a type has a schema, the data of each event of the type is checked against it, whether the event comes from
// outside, a schedule or a handler. With strict, undeclared types are refused, except evrun's own. Declare replaces the previous declaration; it is
// safe while events are being accepted.
func (em *Emitter) Declare(types []EventType, strict bool) {
	d := &declared{schemas: make(map[string]*schema.Schema, len(types)), strict: strict}
	for _, t := range types {
		if t.Schema != nil || strict {
			d.schemas[t.Type] = t.Schema
		}
	}
	if len(d.schemas) == 0 && !strict {
		d = nil // no types are declared
	}
	em.types.Store(d)
	em.known.Store(&types)
}

// Declared returns the declared types, in the order of the file. Don't change them.
func (em *Emitter) Declared() []EventType {
	if known := em.known.Load(); known != nil {
		return *known
	}
	return nil
}

// declared holds the declared types of the wiring.
type declared struct {
	schemas map[string]*schema.Schema // nil: the type has no schema
	strict  bool                      // if set, schemas has all declared types; otherwise only those with a schema
}

// check checks an event's data against its type's schema. b bounds the work, and may be nil.
func (d *declared) check(e *events.Event, b *expression.Budget) error {
	s, known := d.schemas[e.Type]
	switch {
	case !known && d.strict && !events.Reserved(e.Type):
		err := &RefusedError{Msg: fmt.Sprintf("type %q is not declared, and strict_types refuses such", e.Type)}
		if hint := fault.DidYouMean(e.Type, slices.Sorted(maps.Keys(d.schemas))); hint != "" {
			err.Msg += "; " + hint
		}
		return err
	case s == nil:
		return nil
	}
	what := "the data doesn't fit"
	if len(e.Data) == 0 {
		what = "the event has no data, so it doesn't fit"
	}
	if err := b.Spend(len(e.Data) / 8); err != nil {
		return err
	}
	v, err := e.Value()
	if err != nil {
		return refused("data: %v", err)
	}
	violations, more, err := s.CheckWithin(v, b)
	if err != nil {
		return err
	}
	if len(violations) == 0 {
		return nil
	}
	return &RefusedError{Msg: fmt.Sprintf("%s the schema of %s", what, e.Type), Violations: violations, More: more}
}
