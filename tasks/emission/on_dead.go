package emission

import (
	"strconv"

	"evrun/events"
	"evrun/tasks/expression"
)

// Death is the end of a run that is dead.
type Death struct {
	Handler string
	Seq     int64 // of its event
	Attempt int   // the number of attempts that were made
	Error   string
	Level   int // of [emitter.Emitter.DeadLevel]
}

// FromOnDead makes the event of the handler's on_dead, which must not be nil. A run that is retried by hand and dies again gets a new one. f may be nil:
// nothing was foreseen.
func (m *Maker) FromOnDead(run Run, f *Foreseen, d Death) (*events.Event, error) {
	run.Env.SetFailure(expression.Failure{Error: d.Error, Attempts: d.Attempt, Handler: d.Handler, RunID: run.ID})
	en := m.OnDead
	if f != nil {
		if f.onDeadErr != nil {
			return nil, f.onDeadErr
		}
		en = f.onDead
		f.budget.Renew() // because the failure may have used up the budget
	}
	known := map[string]any{"handler": d.Handler, "run_id": run.ID, "error": d.Error, "attempts": d.Attempt, "event": run.Event}
	what, err := en.draft(run.Env, known)
	if err != nil {
		return nil, err
	}
	if events.Reserved(what.Type) {
		return nil, errReserved(what.Type)
	}
	e := run.event("on_dead."+strconv.Itoa(d.Attempt), m.Source, what)
	return e, m.Emitter.OfDead(e, run.Event, d.Level, what.Data, known, run.Env.Budget())
}

// Dead makes evrun.run.dead. Nil: it can't be made.
func (m *Maker) Dead(run Run, d Death) *events.Event {
	run.Env.Within(nil) // the event is evrun's own: no budget bounds it
	e := run.event("dead."+strconv.Itoa(d.Attempt), m.Emitter.Source(""), Draft{Type: events.TypeRunDead})
	data := map[string]any{
		"run": run.ID, "handler": d.Handler, "event": run.Event.ID, "type": run.Event.Type, "seq": strconv.FormatInt(d.Seq, 10),
		"attempt": d.Attempt, "error": d.Error, "level": d.Level,
	}
	if err := m.Emitter.OfDead(e, run.Event, d.Level, data, data, nil); err != nil {
		return nil
	}
	return e
}
