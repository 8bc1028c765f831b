package tasks

import (
	"strconv"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
)

// dead is the outcome of a last attempt: with evrun.run.dead, and the event of the handler's own on_dead.
func (c *consumer) dead(t *task, d *Delivery, err error) store.Outcome {
	out := store.Outcome{State: store.Dead, Error: c.words(err)}
	level := c.r.o.Emitter.level(t.event) + 1
	if level > maxLevel {
		return out
	}
	if c.h.OnDead != nil {
		e, err := c.onDead(t, d, level, out.Error)
		if err == nil {
			out.Emit = append(out.Emit, e)
		} else { // the run is over all the same, and says what else went wrong
			out.Error += "\non_dead: " + c.words(err)
		}
	}
	d.Env.Within(nil) // what follows is evrun's own: it depends on no budget
	e := childOf(d, "dead."+strconv.Itoa(t.attempt), c.r.o.Emitter.Source(""), EmittedEvent{Type: events.TypeRunDead})
	data := map[string]any{
		"run": d.RunID, "handler": c.h.Name, "event": t.event.ID, "type": t.event.Type, "seq": strconv.FormatInt(t.seq, 10),
		"attempt": t.attempt, "error": out.Error, "level": level,
	}
	if err := c.r.o.Emitter.ofDead(e, level, data, data, nil); err == nil {
		out.Emit = append(out.Emit, e)
	}
	return out
}

// onDead makes the event of the handler's on_dead. A run that is retried by hand and dies again has another one.
func (c *consumer) onDead(t *task, d *Delivery, level int, text string) (e *events.Event, err error) {
	defer recovered(&err)
	d.Env.SetFailure(expression.Failure{Error: text, Attempts: t.attempt, Handler: c.h.Name, RunID: d.RunID})
	em := c.h.OnDead
	if f := d.foreseen; f != nil {
		if f.onDeadErr != nil {
			return nil, f.onDeadErr
		}
		em = f.onDead
		f.budget.Renew() // for what went wrong may have taken all of it
	}
	known := map[string]any{"handler": c.h.Name, "run_id": d.RunID, "error": text, "attempts": t.attempt, "event": t.event}
	what, err := em.event(d, known)
	if err != nil {
		return nil, err
	}
	if events.Reserved(what.Type) {
		return nil, refused("type %q is evrun's own", what.Type)
	}
	e = childOf(d, "on_dead."+strconv.Itoa(t.attempt), c.source, what)
	return e, c.r.o.Emitter.ofDead(e, level, what.Data, known, d.Env.Budget())
}
