package follow

import (
	"slices"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
)

// filter decides what a tail prints of the store: the daemon's stream does that itself. A condition that names "run" is about runs alone; any other is
// about an event, and about the runs on it.
type filter struct {
	events, runs bool // print them
	handler      string
	states       []store.RunState
	onEvents     *expression.Expr // nil: all
	onRuns       *expression.Expr // nil: all
}

// condition sets the condition. The error says what is wrong with its text.
func (f *filter) condition(text string) (err error) {
	if f.onRuns, err = expression.Compile(text, expression.SelectRuns); err != nil {
		return err
	}
	if f.onEvents, err = expression.Compile(text, expression.SelectEvents); err != nil {
		f.events, f.runs = false, true // it names a run
	}
	return nil
}

// event reports whether an event is printed.
func (f *filter) event(e *events.Event) (bool, error) {
	if !f.events || f.onEvents == nil {
		return f.events, nil
	}
	return f.onEvents.Bool(expression.NewEnv(e))
}

// run reports whether a run on an event is printed.
func (f *filter) run(r api.Run, e *events.Event) (bool, error) {
	state, _ := store.ParseRunState(r.State)
	if !f.runs || f.handler != "" && r.Handler != f.handler || len(f.states) > 0 && !slices.Contains(f.states, state) {
		return false, nil
	}
	if f.onRuns == nil {
		return true, nil
	}
	env := expression.NewEnv(e)
	env.SetRun(expression.Run{ID: r.ID, Handler: r.Handler, State: r.State, Attempt: r.Attempt, Error: r.Error})
	return f.onRuns.Bool(env)
}
