package tasks

import (
	"fmt"
	"strconv"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/queue"
)

// The events of a run are made before the writer's transaction if possible: everything that depends neither on the result of an inside handler nor on
// its failure is evaluated, encoded, stamped and checked against its schema beforehand. The rest is done inside the transaction, where nobody else
// can write, so its work is bounded: see maxEffectWork.

// maxEffectWork bounds the work of evaluations, encoding and schemas in the transaction that settles a run, to about 10 ms. It is enough for a
// statement's maximum number of rows with 50 columns.
const maxEffectWork = 100_000

func newEffectBudget() *expression.Budget {
	return expression.NewBudget(maxEffectWork, "may be done with a handler's result in the transaction that settles its run",
		"emit less, or the result as it is, and compute in a handler of that event")
}

// foreseen holds the parts of an attempt's events that are known before its effect runs.
type foreseen struct {
	emit      []foreseenEvent
	onDead    *Emission // nil: the handler has none
	onDeadErr error     // why it can't be made
	budget    *expression.Budget
}

// foreseenEvent is an emission with the parts that are known before the effect runs.
type foreseenEvent struct {
	Emission
	made *events.Event // nil: a part of it depends on the result
}

// foresee evaluates the parts of the handler's emit and on_dead that are known before the effect runs.
func (w *worker) foresee(d *Delivery) (err error) {
	if len(w.h.Emit) == 0 && w.h.OnDead == nil {
		return nil
	}
	defer recovered(&err)
	f := &foreseen{budget: newEffectBudget(), emit: make([]foreseenEvent, len(w.h.Emit))}
	for i := range w.h.Emit {
		e := &f.emit[i]
		if e.Emission, err = w.h.Emit[i].bind(d, f.budget); err != nil {
			return fmt.Errorf("emit: %w", err)
		}
		if e.Data == nil || e.usesResult() {
			continue
		}
		what, err := e.draft(d, nil)
		if err != nil {
			return fmt.Errorf("emit: %w", err)
		}
		if e.made, err = w.child(d, strconv.Itoa(i+1), what); err != nil {
			return Permanent(fmt.Errorf("emit: %w", err))
		}
	}
	if w.h.OnDead != nil {
		bound, err := w.h.OnDead.bind(d, f.budget)
		f.onDead, f.onDeadErr = &bound, err // it matters only if the run ends
	}
	d.foreseen = f
	return nil
}

// within gives all evaluations until the call of leave one full transaction's budget.
func (d *Delivery) within() (leave func()) {
	if d.foreseen == nil {
		return func() {}
	}
	d.foreseen.budget.Renew()
	d.Env.Within(d.foreseen.budget)
	return func() { d.Env.Within(nil) }
}

// bind evaluates the parts of an emission that depend neither on the result nor on the failure.
func (em *Emission) bind(d *Delivery, b *expression.Budget) (bound Emission, err error) {
	if bound.Type, err = em.Type.Bind(d.Env, b); err != nil {
		return bound, fmt.Errorf("type: %w", err)
	}
	if bound.Subject, err = em.Subject.Bind(d.Env, b); err != nil {
		return bound, fmt.Errorf("subject: %w", err)
	}
	if bound.Data, err = em.Data.Bind(d.Env, b); err != nil {
		return bound, fmt.Errorf("data: %w", err)
	}
	return bound, nil
}

func (em *Emission) usesResult() bool {
	return em.Type.UsesResult() || em.Subject.UsesResult() || em.Data.UsesResult()
}

// draft evaluates an emission. data is the default for its data.
func (em *Emission) draft(d *Delivery, data any) (what Draft, err error) {
	what.Data = data
	if what.Type, err = em.Type.Text(d.Env); err != nil {
		return what, fmt.Errorf("type: %w", err)
	}
	if em.Subject != nil {
		if what.Subject, err = em.Subject.Text(d.Env); err != nil {
			return what, fmt.Errorf("subject: %w", err)
		}
	}
	if em.Data != nil {
		if what.Data, err = em.Data.Eval(d.Env); err != nil {
			return what, fmt.Errorf("data: %w", err)
		}
	}
	return what, nil
}

// succeeded returns the outcome of a successful attempt, with its events. If the events can't be made, the attempt has failed.
func (w *worker) succeeded(t *queue.Task, d *Delivery, result any) store.Outcome {
	evs, err := w.follows(d, result)
	if err != nil {
		return w.failed(t, d, err)
	}
	return store.Outcome{State: store.Succeeded, Emit: evs}
}

// follows makes the events of a success: first the kind's, then those of the handler's emit. They contain the handler's result, which the handler's
// code encodes.
func (w *worker) follows(d *Delivery, result any) (evs []*events.Event, err error) {
	defer recovered(&err)
	var own []Draft
	if e, ok := result.(*WithEvents); ok {
		own, result = e.Events, e.Result
	}
	if len(own) == 0 && len(w.h.Emit) == 0 {
		return nil, nil
	}
	evs = make([]*events.Event, 0, len(own)+len(w.h.Emit))
	add := func(what Draft) error {
		e, err := w.child(d, strconv.Itoa(len(evs)+1), what)
		if err != nil {
			return Permanent(fmt.Errorf("emit: %w", err))
		}
		evs = append(evs, e)
		return nil
	}
	for _, what := range own {
		if err := add(what); err != nil {
			return nil, err
		}
	}
	if err := w.giveResult(d, result); err != nil {
		return nil, fmt.Errorf("emit: %w", err)
	}
	for i := range w.h.Emit {
		em := &w.h.Emit[i]
		if d.foreseen != nil {
			if made := d.foreseen.emit[i].made; made != nil && len(own) == 0 {
				evs = append(evs, made)
				continue
			}
			em = &d.foreseen.emit[i].Emission
		}
		what, err := em.draft(d, result)
		if err != nil {
			return nil, fmt.Errorf("emit: %w", err)
		}
		if err := add(what); err != nil {
			return nil, err
		}
	}
	return evs, nil
}

// giveResult gives the result to the expressions of emit, if one of them uses it.
func (w *worker) giveResult(d *Delivery, result any) error {
	looked := false
	for i := range w.h.Emit {
		looked = looked || w.h.Emit[i].usesResult()
	}
	if !looked {
		return nil
	}
	if r, ok := result.(Result); ok {
		var err error
		if result, err = r.Value(d.Env.Budget()); err != nil {
			return err
		}
	}
	d.Env.SetResult(result)
	return nil
}

// child makes an event that the handler emits. name is unique among the events of the run.
func (w *worker) child(d *Delivery, name string, what Draft) (*events.Event, error) {
	if events.Reserved(what.Type) {
		return nil, errReserved(what.Type)
	}
	e := eventOf(d, name, w.source, what)
	return e, w.r.o.Emitter.Child(e, d.Event, what.Data, d.Env.Budget())
}

// eventOf makes an event of a run, without its data. Its id is the run's id with the event's name, so that it can only be accepted once.
func eventOf(d *Delivery, name, source string, what Draft) *events.Event {
	return &events.Event{ID: d.RunID + "." + name, Source: source, Type: what.Type, Subject: what.Subject}
}

// errReserved refuses an event of a handler with a type of evrun's own.
func errReserved(typ string) error {
	return &emitter.RefusedError{Msg: fmt.Sprintf("type %q is evrun's own", typ)}
}
