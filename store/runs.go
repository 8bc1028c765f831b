package store

import (
	"context"
	"time"
)

// Runs keeps the runs of the handlers.
type Runs interface {
	// Start records that attempts begin, before an outside handler acts: all of them, or none. A claim that is not the next
	// attempt of its run comes back as false.
	Start(ctx context.Context, claims []Claim) ([]bool, error)
	// Settle ends attempts, each with its effect, its state and its emitted events, and moves low-water marks. One settlement is
	// whole or not at all. A batch is one transaction, or several where user statements take time
	// ([Options.StatementTimeout]): its settlements in their order, the marks with the last. The results are in that order;
	// with an error they are those of the settlements that committed, from the first on, and nothing else was written. [ErrClash] means that
	// an emitted event's (source, id) is known already.
	Settle(ctx context.Context, b SettleBatch) ([]Settled, error)
	// Pending returns runs of a handler that are running or retrying: those due first (a running one counts as due now),
	// at most limit.
	Pending(ctx context.Context, h HandlerID, limit int) ([]Run, error)
	// PendingAfter returns the same runs in order of sequence: those after one, at most limit.
	PendingAfter(ctx context.Context, h HandlerID, after int64, limit int) ([]Run, error)
	// FindRun returns one run by its id, or [ErrNotFound].
	FindRun(ctx context.Context, id string) (Run, error)
	// Runs returns a page of runs, newest event first unless the query says otherwise, and those of one event in the order of their
	// handlers' numbers.
	Runs(ctx context.Context, q RunQuery) ([]Run, error)
	// Counts says how many runs of each handler are running, retrying or dead, by the handler's name. Its cost grows with their
	// number alone.
	Counts(ctx context.Context) (map[string]Counts, error)
	// Joined returns the sequences of the events that the run of a handler on one event has joined to its own, ascending.
	Joined(ctx context.Context, h HandlerID, sequence int64) ([]int64, error)
	// Attempts returns the failed attempts of a run, oldest first.
	Attempts(ctx context.Context, id string) ([]Attempt, error)
	// Retry makes dead runs due again now, with a new budget of attempts, and returns them as they are then. The query's Limit holds.
	Retry(ctx context.Context, q RunQuery) ([]Run, error)
	// Drop ends runs for good, as Dropped, and returns how many they were: those in the query's states, or the dead
	// ones if it names no state. Runs that are running or retrying are dropped only if their handler is not active: an attempt that is still
	// running is fenced off. The history of their attempts stays.
	Drop(ctx context.Context, q RunQuery) (int, error)
}

// Counts is how many runs of a handler are in the states that need something: an end, an attempt, a person.
type Counts struct{ Running, Retrying, Dead int }

// RunState is the state of a run.
type RunState int8

// The states of a run. Their numbers are stored: they never change.
const (
	Running RunState = iota + 1
	Retrying
	Succeeded
	Skipped
	Dead
	Dropped // given up by hand
)

var stateNames = [...]string{Running: "running", Retrying: "retrying", Succeeded: "succeeded", Skipped: "skipped", Dead: "dead", Dropped: "dropped"}

// String gives the name that users see: "running", "retrying", "succeeded", "skipped", "dead", "dropped".
func (s RunState) String() string {
	if s < Running || int(s) >= len(stateNames) {
		return "unknown"
	}
	return stateNames[s]
}

// Ended reports whether the run is over: succeeded, skipped, dead or dropped.
func (s RunState) Ended() bool {
	return s == Succeeded || s == Skipped || s == Dead || s == Dropped
}

// ParseRunState is the inverse of [RunState.String].
func ParseRunState(name string) (RunState, bool) {
	for i, n := range stateNames {
		if n == name && n != "" {
			return RunState(i), true
		}
	}
	return 0, false
}

// Run is one handler on one event.
type Run struct {
	ID        string // see [RunID]
	Handler   string
	HandlerID HandlerID
	EventID   string
	Sequence  int64 // the event's
	Chain     int64 // the event's
	Type      string
	State     RunState
	Attempt   int // the last one that started, from 1
	// Budget is how many attempts don't count: those before a dead run was last retried, and uncounted ones. 0 at first.
	Budget        int
	Error         string // of the last failed attempt; empty when it succeeded
	Reason        string // why it is in its state, where no failed attempt says so: it was dropped, or waits for a handler that is not active, or paused
	StartedAt     time.Time
	FinishedAt    time.Time // zero while running
	NextAttemptAt time.Time // set when retrying
	// Joined is set on a skipped run whose event another run of the handler has joined: the sequence of that run's event.
	Joined int64
}

// RunQuery selects runs. Set fields narrow it down together. Retry changes dead runs only, and Drop those that it may drop.
type RunQuery struct {
	ID       string
	Handler  string
	State    RunState   // 0: any
	States   []RunState // in one of these; none: any
	Sequence int64      // of one event; 0: any
	Before   int64      // only events with a smaller sequence; 0: no bound
	AfterID  string     // only runs that come after this one in the query's order, whether or not it is in the selection
	Oldest   bool       // oldest event first
	Limit    int        // at most so many; 0: 1,000
}

// Attempt is one failed attempt of a run.
type Attempt struct {
	Number     int
	StartedAt  time.Time
	FinishedAt time.Time
	Error      string
}
