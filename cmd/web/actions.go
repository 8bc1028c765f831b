package web

import (
	"slices"
	"strings"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/replay"
)

// runActions are what can be done to a run in its state.
type runActions struct{ Retry, Cancel, Drop, Again bool }

// actionsOn are the actions that fit the state of one run. A run whose handler has left the wiring file can be dropped in other states than dead, too: the list
// of runs offers that.
func actionsOn(state string) runActions {
	in := func(states []store.RunState) bool {
		return slices.ContainsFunc(states, func(s store.RunState) bool { return s.String() == state })
	}
	return runActions{Retry: in(control.Retryable), Cancel: in(control.Cancellable), Drop: state == store.Dead.String(), Again: in(replay.Repeatable)}
}

// Ended reports whether the run has ended.
func (r runView) Ended() bool { return r.May.Again }

// Fits names the states that the actions on a list of runs are for, separated by blanks.
func (runList) Fits(action string) string {
	states := map[string][]store.RunState{"retry": control.Retryable, "cancel": control.Cancellable, "drop": control.Droppable, "rerun": replay.Repeatable}[action]
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = s.String()
	}
	return strings.Join(names, " ")
}

// replayBody is the body of a request that runs an event through a handler again.
func replayBody(sequence int64, handler string) string {
	text, _ := events.MarshalJSON(api.ReplayRequest{Events: []string{sequenceName(sequence)}, To: handler, Again: true}) // of texts
	return string(text)
}
