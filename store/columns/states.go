package columns

import (
	"fmt"
	"strconv"
	"strings"

	"evrun/store"
)

// InStates is a condition on a run r. A single state is written so that partial indexes are used.
func InStates(states []store.RunState) string {
	if len(states) == 1 {
		return fmt.Sprintf("r.state = %d", states[0])
	}
	list := make([]string, len(states))
	for i, state := range states {
		list[i] = strconv.Itoa(int(state))
	}
	return "r.state IN (" + strings.Join(list, ", ") + ")"
}

// AttemptState returns the state that an attempt gave to its run. stored is the one with its output, which may be from before the attempt's end.
func AttemptState(run *store.Run, a *store.Attempt, failed bool, stored store.RunState) store.RunState {
	last := a.Number == run.Attempt
	switch {
	case stored > store.Running:
		return stored
	case !failed && last && run.State == store.Cancelled: // evrun was killed while it ran
		return store.Cancelled
	case !failed:
		return stored
	case last && (run.State == store.Dead || run.State == store.Cancelled && a.FinishedAt.Equal(run.FinishedAt)):
		return run.State
	}
	return store.Retrying // also of a run that was cancelled while it waited for the next one
}
