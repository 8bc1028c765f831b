package tasks

import (
	"strconv"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
	"evrun/tasks/queue"
)

// dead returns the outcome of a failed last attempt, with evrun.run.dead and the event of the handler's on_dead.
func (w *worker) dead(t *queue.Task, d *Delivery, err error) store.Outcome {
	out := store.Outcome{State: store.Dead, Error: w.words(err)}
	level, told := w.r.o.Emitter.DeadLevel(t.Event)
	if !told {
		return out
	}
	if w.h.OnDead != nil {
		e, err := w.onDead(t, d, level, out.Error)
		if err == nil {
			out.Emit = append(out.Emit, e)
		} else { // the run is dead all the same, and its error mentions this one
			out.Error += "\non_dead: " + w.words(err)
		}
	}
	d.Env.Within(nil) // the next event is evrun's own: no budget bounds it
	e := eventOf(d, "dead."+strconv.Itoa(t.Attempt), w.r.o.Emitter.Source(""), Draft{Type: events.TypeRunDead})
	data := map[string]any{
		"run": d.RunID, "handler": w.h.Name, "event": t.Event.ID, "type": t.Event.Type, "seq": strconv.FormatInt(t.Seq, 10),
		"attempt": t.Attempt, "error": out.Error, "level": level,
	}
	if err := w.r.o.Emitter.OfDead(e, t.Event, level, data, data, nil); err == nil {
		out.Emit = append(out.Emit, e)
	}
	return out
}

// onDead makes the event of the handler's on_dead. A run that is retried by hand and dies again gets a new one.
func (w *worker) onDead(t *queue.Task, d *Delivery, level int, text string) (e *events.Event, err error) {
	defer recovered(&err)
	d.Env.SetFailure(expression.Failure{Error: text, Attempts: t.Attempt, Handler: w.h.Name, RunID: d.RunID})
	em := w.h.OnDead
	if f := d.foreseen; f != nil {
		if f.onDeadErr != nil {
			return nil, f.onDeadErr
		}
		em = f.onDead
		f.budget.Renew() // because the failure may have used up the budget
	}
	known := map[string]any{"handler": w.h.Name, "run_id": d.RunID, "error": text, "attempts": t.Attempt, "event": t.Event}
	what, err := em.draft(d, known)
	if err != nil {
		return nil, err
	}
	if events.Reserved(what.Type) {
		return nil, errReserved(what.Type)
	}
	e = eventOf(d, "on_dead."+strconv.Itoa(t.Attempt), w.source, what)
	return e, w.r.o.Emitter.OfDead(e, t.Event, level, what.Data, known, d.Env.Budget())
}
