package store

import (
	"time"

	"evrun/events"
)

// Claim records that an attempt of a run begins, or, with Ahead, that it will.
type Claim struct {
	Handler  HandlerID
	Sequence int64
	Attempt  int // from 1; the run must be new (1) or retrying with Attempt-1
	At       time.Time
	// Ahead says that the attempt, the run's first, does not begin yet: it waits until another one ends. Until the attempt is settled, the run's Budget
	// is 1: after a kill nobody knows whether the attempt has begun, so it doesn't count. The [Settlement] must have Ahead, too; [Runs.Withdraw] takes
	// the claim back. Not with Joins.
	Ahead bool
	// Joins are the sequences of other events that a new run joins to its own. None of them has a run yet: each gets a skipped run that names the new
	// run, in the same transaction.
	Joins []int64
	// Node is the node to which the run's slot was granted. If this process is another node by now, because it has lost its leases meanwhile, the claim
	// is refused. 0: not checked.
	Node int64
}

// SettleBatch is a set of attempts that end together.
type SettleBatch struct {
	Settlements []Settlement
	Marks       []Mark
	// Node is the node to which the slots were granted, as in [Claim]. If this process is another node by now, all settlements are Fenced, and no mark
	// is moved: a write that waited while the leases were lost must not count for what the next node holds.
	Node int64
}

// Mark is a handler's new low-water mark.
type Mark struct {
	Handler  HandlerID
	LowWater int64
	Slots    Slots // that the caller has taken from its [Lease]: no others are moved
}

// Settlement ends one attempt of a run.
//
// It is fenced: it counts only if its attempt is the current one (recorded by Start, or the next attempt if Start was not called). A late or repeated
// settlement changes nothing, and its result is Fenced.
//
// A run that was marked by [Runs.Cancel] is not retried and does not die: a failed attempt ends it as Cancelled, without the events of its outcome.
type Settlement struct {
	Event   *events.Event
	Handler HandlerID
	ID      string // the name that the run began under; empty: the handler's name
	Attempt int
	Claimed bool // Start recorded the attempt
	Ahead   bool // as in the Claim: the run's StartedAt becomes Started, and its Budget 0 again
	Started time.Time
	Joins   []int64 // as in Claim, when Attempt is 1 and not Claimed
	// When is the text of the handler's condition; empty: it has none. It is kept with the run if the run is skipped.
	When string
	// Statement is the user statement that Effect runs, if any. Hold is how long it may take, if longer than [Options.StatementTimeout]: it then has
	// its own transaction, and no other statement with a Hold begins until other writes have had the writer for as long.
	Statement *Statement
	Hold      time.Duration
	// Outcome is the result, when neither Insert nor Effect is set.
	Outcome Outcome
	// Insert, when not nil, is a user to insert in the transaction. Its Then returns the outcome. Not with Effect.
	Insert *UserInsert
	// Output is what the attempt printed, or was answered, if something is kept of it. Not with Insert or Effect.
	Output *Output
	// Effect, when not nil, runs inside the transaction and returns the outcome. If the outcome isn't Succeeded, everything that Effect wrote is
	// undone. Effect must not block or keep tx, and may be called again if the transaction must be repeated.
	Effect func(tx Tx) Outcome
}

// Outcome is the state of a run after an attempt.
type Outcome struct {
	State         RunState
	Error         string
	NextAttemptAt time.Time       // when Retrying
	Emit          []*events.Event // appended to the journal in the same transaction
	Uncounted     bool            // when Retrying: the run's Budget grows by one, so that this attempt doesn't count; when Cancelled: it has not begun
}

// Settled is the answer to a [Settlement].
type Settled struct {
	Fenced bool
	Outcome
}

// Tx is the transaction as an effect sees it.
type Tx interface {
	// Exec runs a user statement, with one value for each of its parameters, in their order: nil, int64, float64, string or []byte. The statement may
	// read all tables, and write those that aren't the store's own.
	//
	// Errors: [ErrConflict] for a unique key, [ErrStatement] for a statement that would fail again, [ErrTimeout] for a statement that took longer
	// than [Options.StatementTimeout] or the settlement's Hold. Before it returns ErrTimeout, the store runs the statement a second time, so that none
	// fails because the machine was busy: with SQLite alone and by processor time, where the system provides it; with PostgreSQL it has twice the time.
	Exec(s *Statement, args []any) (Result, error)
}
