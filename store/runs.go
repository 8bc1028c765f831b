package store

import (
	"context"
	"slices"
	"time"

	"evrun/events"
)

// Runs keeps the runs of the handlers.
type Runs interface {
	// Start records that attempts begin, before an outside handler acts: all of them, or none. The result is false for each claim that is not the
	// next attempt of its run.
	Start(ctx context.Context, claims []Claim) ([]bool, error)
	// Withdraw takes back claims made ahead whose attempts have not begun: it deletes their runs. A run that was not claimed ahead, or is not running
	// any more, stays as it is, as does one that was marked by Cancel.
	Withdraw(ctx context.Context, claims []Claim) error
	// Settle ends attempts, each with its effect, its state and its emitted events, and moves low-water marks. Each settlement is atomic. A batch is
	// one transaction, or several if user statements take time ([Options.StatementTimeout]); the settlements commit in order, the marks with the
	// last. The results are in the same order. With an error, the results are those of the settlements that committed, from the first on, and nothing
	// else was written. [ErrClash] means that an emitted event's (source, id) is known already.
	Settle(ctx context.Context, b SettleBatch) ([]Settled, error)
	// Pending returns runs of a handler that are running or retrying, whose sequences are in the slots (see [SlotOf]): those due first (a running one
	// counts as due now), at most limit.
	Pending(ctx context.Context, h HandlerID, slots Slots, limit int) ([]Run, error)
	// PendingAfter returns such runs with a sequence greater than after, in order of sequence, at most limit.
	PendingAfter(ctx context.Context, h HandlerID, after int64, limit int) ([]Run, error)
	// FindRun returns one run by its id, or [ErrNotFound].
	FindRun(ctx context.Context, id string) (Run, error)
	// Runs returns a page of runs, newest event first unless the query says otherwise, and those of one event in the order of their
	// handlers' numbers.
	Runs(ctx context.Context, q RunQuery) ([]Run, error)
	// ScanRuns is a step of a search: like Runs, but it ends after about look sequences of the journal, too. See [Part].
	ScanRuns(ctx context.Context, q RunQuery, look int) (Part[Run], error)
	// TallyRuns is a step that counts runs: each item is a number of runs that have the same handler, state, type and error. The parts of a search may
	// have items that are alike. The query's AfterID and Limit are not used; otherwise it is as ScanRuns.
	TallyRuns(ctx context.Context, q RunQuery, look int) (Part[RunTally], error)
	// Counts returns the number of running, retrying and dead runs by handler name. Its cost grows only with the number of these runs.
	Counts(ctx context.Context) (map[string]Counts, error)
	// Joined returns the sequences of the events that the run of a handler on one event has joined to its own, ascending.
	Joined(ctx context.Context, h HandlerID, sequence int64) ([]int64, error)
	// Attempts returns attempts of a run, oldest first: those that failed, and those of which an output is kept.
	Attempts(ctx context.Context, q AttemptQuery) ([]Attempt, error)
	// KeepOutputs stores what attempts have printed so far, in case they are interrupted. Their settlements replace it. Nothing is stored for one
	// that is not the running attempt of its run.
	KeepOutputs(ctx context.Context, outputs []Partial) error
	// Retry makes the selected runs due now: dead ones, unless the query names states. Dead and cancelled runs get a new budget of attempts, retrying
	// ones keep theirs; runs in other states stay as they are, as do those of a forgotten handler. It returns the changed runs.
	Retry(ctx context.Context, c Change) ([]Run, error)
	// Cancel ends the selected runs as Cancelled: running, retrying and waiting ones, unless the query names states. A waiting one gets a row, with
	// attempt 0. A running run of a handler that is in c.Live is only marked ([Run.Cancelling]), because its attempt may be under way: the settlement
	// ends it, and the mark is kept if evrun is killed. A marked run is not changed again. It returns the changed and the marked runs. Waiting runs are selected by their ids, or by
	// their handler and the state.
	Cancel(ctx context.Context, c Change) ([]Run, error)
	// Drop ends runs for good, as Dropped, and returns them. It selects dead runs, unless the query names states. Running and retrying runs are dropped
	// only if their handler is not active; the result of an attempt that is still running is then fenced off. The history of attempts
	// stays, with their outputs.
	Drop(ctx context.Context, c Change) ([]Run, error)
	// Resend ends dead, retrying and cancelled runs as Dropped, each for an event that is accepted in its place in the same transaction: with has the
	// events, by the ids of their runs, which select the runs as well. Each reason names the event. Runs in other states stay as they are, and their
	// events are not accepted. It returns the changed runs.
	Resend(ctx context.Context, c Change, with map[string]*events.Event) ([]Run, error)
}

// Counts is the number of a handler's runs in the states that are not final or need a person.
type Counts struct{ Running, Retrying, Dead int }

// Change is what a person does to runs. At most Limit runs of the query are changed, in one transaction.
type Change struct {
	Query RunQuery
	// Runs are the selected runs, where the caller has just read them; nil: the query selects them. Each is changed if it is still in one of the
	// query's states.
	Runs []Run
	By   string // who does it, such as "ada (uid 1000)"
	Why  string // in their words; empty: they gave none
	// Live are the names of the handlers whose running attempts this process may end: see [Runs.Cancel].
	Live map[string]bool
	// Events are accepted in the same transaction, if any run is changed or marked.
	Events []*events.Event
	// Step moves a batch in the same transaction, which counts the changed runs; nil: none. The error is [ErrBatchMoved], and nothing is changed, when
	// the batch is not at the step's From.
	Step *Step
}

// Reason is the changed runs' Reason; done is what was done, such as "cancelled".
func (c *Change) Reason(done string) string {
	if c.By != "" {
		done += " by " + c.By
	}
	if c.Why != "" {
		done += ": " + c.Why
	}
	return done
}

// Being begins the Reason of a run that is to be cancelled; without it, it is the Reason of the cancelled run.
const Being = "being "

// RunState is the state of a run.
type RunState int8

// The states of a run. Their numbers are stored: they never change.
const (
	Running RunState = iota + 1
	Retrying
	Succeeded
	Skipped
	Dead
	Dropped   // given up by hand
	Cancelled // ended by hand, before it was over

	// Waiting is the state of a run that has not begun: an event that a handler has yet to handle. It has no row.
	Waiting RunState = -1
)

var stateNames = [...]string{
	Running: "running", Retrying: "retrying", Succeeded: "succeeded", Skipped: "skipped", Dead: "dead", Dropped: "dropped", Cancelled: "cancelled",
}

// String gives the name that users see: "waiting", "running", "retrying", "succeeded", "skipped", "dead", "dropped", "cancelled".
func (s RunState) String() string {
	switch {
	case s == Waiting:
		return "waiting"
	case s < Running || int(s) >= len(stateNames):
		return "unknown"
	}
	return stateNames[s]
}

// Ended reports whether the run is over: succeeded, skipped, dead, dropped or cancelled.
func (s RunState) Ended() bool { return s >= Succeeded && s <= Cancelled }

// ParseRunState is the inverse of [RunState.String].
func ParseRunState(name string) (RunState, bool) {
	if name == Waiting.String() {
		return Waiting, true
	}
	i := slices.Index(stateNames[:], name)
	return RunState(max(0, i)), i > 0
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
	Attempt   int // the last one that started, from 1; 0: none has
	// Budget is the number of attempts that don't count: those before a dead run was last retried, uncounted ones, and a running one that was claimed
	// ahead. 0 at first.
	Budget int
	Failed int    // the number of failed attempts; only [Runs.Runs], [Runs.ScanRuns] and [Runs.FindRun] count them
	Error  string // of the last failed attempt; empty when it succeeded
	Reason string // why it is in its state, if no failed attempt explains it: it was dropped or cancelled, or its handler is paused or not active
	// Cancelling says that a running run was cancelled: its attempt is being ended, or evrun was killed before that. Reason then says by whom.
	Cancelling    bool
	StartedAt     time.Time // zero before the first attempt
	FinishedAt    time.Time // zero while running
	NextAttemptAt time.Time // set when retrying
	// When is the text of the condition that was false, for a skipped run. It is empty if the condition is not known: the run is from before the store
	// kept it, or there were too many others since.
	When string
	// Joined is set on a skipped run whose event another run of the handler has joined: the sequence of that run's event.
	Joined int64
}

// RunTally is a number of runs.
type RunTally struct {
	Handler string
	State   RunState
	Type    string // of their events; empty: these were deleted
	Error   string
	Count   int
	Newest  int64 // the greatest sequence of their events
}

// RunQuery selects runs; all set fields must match. Of the selection, a [Change] changes only the runs that it may.
type RunQuery struct {
	ID       string
	IDs      []string // these runs; none: any
	Handler  string
	State    RunState   // 0: any
	States   []RunState // in one of these; none: any
	Sequence int64      // of one event; 0: any
	After    int64      // only events with a greater sequence
	Before   int64      // only events with a smaller sequence; 0: no bound
	AfterID  string     // only runs after this one in the query's order; the run itself need not match
	Oldest   bool       // oldest event first
	Limit    int        // the maximum number; 0: 1,000
	Bare     bool       // of ScanRuns: Failed is not needed

	// Their events, as in [EventQuery]. A run whose event was deleted has none of these.

	Patterns     []events.Pattern
	Source       string
	Since, Until time.Time
	Chain        int64
	Holding      [][]string
}

// Stored returns the query's States without Waiting: only these have rows.
func (q *RunQuery) Stored() []RunState {
	return slices.DeleteFunc(slices.Clone(q.States), func(s RunState) bool { return s == Waiting })
}
