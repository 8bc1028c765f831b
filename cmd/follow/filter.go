package follow

import (
	"errors"
	"slices"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
)

// filter decides what a tail prints. A condition that names "run" is about runs alone; any other is about an event, and about the runs on it.
type filter struct {
	events, runs bool // print them
	handler      string
	states       []store.RunState
	onEvents     *expression.Expr // nil: all
	onRuns       *expression.Expr // nil: all
	recent       recentEvents
	find         func(sequence int64) (*events.Event, error) // in the journal; nil event: it is not there
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

// event reports whether an event is printed. It keeps the event for its runs.
func (f *filter) event(e *events.Event) (bool, error) {
	if f.runs && f.onRuns != nil {
		f.recent.add(e)
	}
	if !f.events || f.onEvents == nil {
		return f.events, nil
	}
	return f.onEvents.Bool(expression.NewEnv(e))
}

// run reports whether a run is printed.
func (f *filter) run(r api.Run) (bool, error) {
	state, _ := store.ParseRunState(r.State)
	if !f.runs || f.handler != "" && r.Handler != f.handler || len(f.states) > 0 && !slices.Contains(f.states, state) {
		return false, nil
	}
	if f.onRuns == nil {
		return true, nil
	}
	e := f.recent.get(r.Sequence)
	if e == nil {
		var err error
		if e, err = f.find(r.Sequence); err != nil {
			return false, err
		}
		if e == nil {
			return false, errors.New("the event of the run is not in the journal")
		}
		f.recent.add(e)
	}
	env := expression.NewEnv(e)
	env.SetRun(expression.Run{ID: r.ID, Handler: r.Handler, State: r.State, Attempt: r.Attempt, Error: r.Error})
	return f.onRuns.Bool(env)
}

// recentEvents are the events that were seen last: at most 1,000, and their data at most 4 MiB.
type recentEvents struct {
	list  []*events.Event
	bytes int
}

func (r *recentEvents) add(e *events.Event) {
	r.list = append(r.list, e)
	r.bytes += len(e.Data)
	drop := 0
	for len(r.list)-drop > 1000 || r.bytes > 4<<20 && len(r.list)-drop > 1 {
		r.bytes -= len(r.list[drop].Data)
		drop++
	}
	r.list = slices.Delete(r.list, 0, drop)
}

func (r *recentEvents) get(sequence int64) *events.Event {
	for i := len(r.list) - 1; i >= 0; i-- {
		if r.list[i].Sequence == sequence {
			return r.list[i]
		}
	}
	return nil
}
