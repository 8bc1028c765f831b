package tasks

import (
	"evrun/events"
	"evrun/store"
	"evrun/tasks/emission"
	"evrun/tasks/queue"
)

// dead returns the outcome of a failed last attempt, with evrun.run.dead and the event of the handler's on_dead.
func (w *worker) dead(t *queue.Task, d *Delivery, err error) store.Outcome {
	out := store.Outcome{State: store.Dead, Error: w.words(err)}
	level, told := w.r.o.Emitter.DeadLevel(t.Event)
	if !told {
		return out
	}
	death := emission.Death{Handler: w.h.Name, Seq: t.Seq, Attempt: t.Attempt, Error: out.Error, Level: level}
	if w.h.OnDead != nil {
		e, err := w.onDead(d, death)
		if err == nil {
			out.Emit = append(out.Emit, e)
		} else { // the run is dead all the same, and its error mentions this one
			out.Error += "\non_dead: " + w.words(err)
		}
	}
	death.Error = out.Error
	if e := w.events.Dead(d.run(), death); e != nil {
		out.Emit = append(out.Emit, e)
	}
	return out
}

func (w *worker) onDead(d *Delivery, death emission.Death) (e *events.Event, err error) {
	defer recovered(&err)
	return w.events.FromOnDead(d.run(), d.foreseen, death)
}
