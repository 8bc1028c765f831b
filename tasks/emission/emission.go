// Package emission makes the events of a run: those that its kind emits, then those of the handler's emit when it succeeds, or that of its on_dead.
//
// They are made before the writer's transaction if possible: everything that depends neither on the result of an inside handler nor on its failure is
// evaluated, encoded, stamped and checked against its schema beforehand ([Maker.Foresee]). The rest is done inside the transaction, where nobody else
// can write, so its work is bounded: see maxEffectWork.
//
// An event's id is its run's id with a name that is unique among the events of the run, and the same at each attempt, so that it can only be accepted
// once. With a for_each, which makes an event for each element of a list, the name is the number of the entry and that of the element.
package emission

import (
	"fmt"
	"strconv"

	"evrun/events"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/trace"
)

// maxEffectWork bounds the work of evaluations, encoding and schemas in the transaction that settles a run, to about 10 ms. It is enough for a
// statement's maximum number of rows with 50 columns.
const maxEffectWork = 100_000

func newEffectBudget() *expression.Budget {
	return expression.NewBudget(maxEffectWork, "may be done with a handler's result in the transaction that settles its run",
		"emit less, or the result as it is, and compute in a handler of that event")
}

// Maker makes the events of a handler's runs. It is safe for concurrent use.
type Maker struct {
	Emitter *emitter.Emitter
	Source  string // of the events
	Emit    []Entry
	OnDead  *Entry // nil: the handler has none
}

// Run is the run whose events are made.
type Run struct {
	ID      string
	Event   *events.Event
	Env     *expression.Env
	Attempt int
	Tracer  *trace.Tracer // nil: its events have the trace context of Event
}

// Result is a result that is decoded and encoded only when needed. AppendJSON encodes it.
type Result interface {
	// Value returns the result for expressions. b bounds the work, and may be nil.
	Value(b *expression.Budget) (any, error)
	AppendJSON(dst []byte) ([]byte, error)
}

// Foreseen holds the parts of a run's events that are known before its effect runs. Not safe for concurrent use.
type Foreseen struct {
	emit      []foreseenEvent
	onDead    *Entry // nil: the handler has none
	onDeadErr error  // why it can't be made
	budget    *expression.Budget
}

// foreseenEvent is an entry with the parts that are known before the effect runs.
type foreseenEvent struct {
	Entry
	made *events.Event // nil: a part of it depends on the result
	each *foreseenList // nil: the entry has no for_each
}

// Foresee evaluates the parts of the handler's emit and on_dead that are known before the effect runs; nil if the handler has neither.
func (m *Maker) Foresee(run Run) (*Foreseen, error) {
	if len(m.Emit) == 0 && m.OnDead == nil {
		return nil, nil
	}
	var err error
	f := &Foreseen{budget: newEffectBudget(), emit: make([]foreseenEvent, len(m.Emit))}
	for i := range m.Emit {
		e := &f.emit[i]
		if e.Entry, err = m.Emit[i].bind(run.Env, f.budget); err != nil {
			return nil, fmt.Errorf("emit: %w", err)
		}
		if e.ForEach != nil {
			if e.each, err = m.foreseeList(run, &e.Entry, i+1, f.budget); err != nil {
				return nil, err
			}
			continue
		}
		if e.Data == nil || e.usesResult() {
			continue
		}
		what, err := e.draft(run.Env, nil)
		if err != nil {
			return nil, fmt.Errorf("emit: %w", err)
		}
		if e.made, err = m.child(run, strconv.Itoa(i+1), what); err != nil {
			return nil, &RefusedError{fmt.Errorf("emit: %w", err)}
		}
	}
	if m.OnDead != nil {
		bound, err := m.OnDead.bind(run.Env, f.budget)
		f.onDead, f.onDeadErr = &bound, err // it matters only if the run ends
	}
	return f, nil
}

// Within gives all evaluations until the call of leave one full transaction's budget. f may be nil.
func (f *Foreseen) Within(env *expression.Env) (leave func()) {
	if f == nil {
		return func() {}
	}
	f.budget.Renew()
	env.Within(f.budget)
	return func() { env.Within(nil) }
}

// Follows makes the events of a success: first the kind's, then those of the handler's emit. They contain the handler's result, which the handler's
// code encodes. f may be nil: nothing was foreseen.
func (m *Maker) Follows(run Run, f *Foreseen, result any) (evs []*events.Event, err error) {
	var own []Draft
	counted := false
	if e, ok := result.(*WithEvents); ok {
		own, result, counted = e.Events, e.Result, e.ForEach
	}
	if len(own) == 0 && len(m.Emit) == 0 {
		return nil, nil
	}
	evs = make([]*events.Event, 0, len(own)+len(m.Emit))
	add := func(name string, what Draft) error {
		e, err := m.child(run, name, what)
		if err != nil {
			return &RefusedError{fmt.Errorf("emit: %w", err)}
		}
		evs = append(evs, e)
		return nil
	}
	sum := bound{most: m.mostData()}
	for _, what := range own {
		if err := add(strconv.Itoa(len(evs)+1), what); err != nil {
			return nil, err
		}
		if counted {
			if err := sum.add(evs[len(evs)-1]); err != nil {
				return nil, fmt.Errorf("emit: for_each: %w", err)
			}
		}
	}
	if err := m.giveResult(run, result); err != nil {
		return nil, fmt.Errorf("emit: %w", err)
	}
	for i := range m.Emit {
		en := &m.Emit[i]
		if en.ForEach != nil {
			if evs, err = m.list(run, f, i, len(own), evs); err != nil {
				return nil, err
			}
			continue
		}
		if f != nil {
			if made := f.emit[i].made; made != nil && len(own) == 0 {
				evs = append(evs, made)
				continue
			}
			en = &f.emit[i].Entry
		}
		what, err := en.draft(run.Env, result)
		if err != nil {
			return nil, fmt.Errorf("emit: %w", err)
		}
		if err := add(strconv.Itoa(len(own)+i+1), what); err != nil {
			return nil, err
		}
	}
	return evs, nil
}

// giveResult gives the result to the expressions of emit, if one of them uses it.
func (m *Maker) giveResult(run Run, result any) error {
	looked := false
	for i := range m.Emit {
		looked = looked || m.Emit[i].usesResult()
	}
	if !looked {
		return nil
	}
	if r, ok := result.(Result); ok {
		var err error
		if result, err = r.Value(run.Env.Budget()); err != nil {
			return err
		}
	}
	run.Env.SetResult(result)
	return nil
}

// child makes an event that the handler emits. name is unique among the events of the run.
func (m *Maker) child(run Run, name string, what Draft) (*events.Event, error) {
	if events.Reserved(what.Type) {
		return nil, errReserved(what.Type)
	}
	e := run.event(name, m.Source, what)
	return e, m.Emitter.Child(e, run.Event, what.Data, run.Env.Budget())
}

// event makes an event of a run, without its data.
func (run *Run) event(name, source string, what Draft) *events.Event {
	e := &events.Event{ID: run.ID + "." + name, Source: source, Type: what.Type, Subject: what.Subject}
	run.Tracer.Attempt(run.Event, run.ID, run.Attempt).Give(e)
	return e
}

// errReserved refuses an event of a handler with a type of evrun's own.
func errReserved(typ string) error {
	return &emitter.RefusedError{Msg: fmt.Sprintf("type %q is evrun's own", typ)}
}

// RefusedError says that an event of a run is refused. No further attempt can change that.
type RefusedError struct{ err error }

func (e *RefusedError) Error() string { return e.err.Error() }
func (e *RefusedError) Unwrap() error { return e.err }
