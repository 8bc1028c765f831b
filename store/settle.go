package store

import (
	"time"

	"evrun/events"
)

// Claim says that an attempt of a run begins.
type Claim struct {
	Handler  HandlerID
	Sequence int64
	Attempt  int // from 1; the run must be new (1) or retrying with Attempt-1
	At       time.Time
	// Joins are the sequences of other events that a new run joins to its own. None of them has a run yet: each gets a skipped one
	// that names the new run, in the same transaction.
	Joins []int64
}

// SettleBatch is a set of attempts that end together.
type SettleBatch struct {
	Settlements []Settlement
	Marks       []Mark
}

// Mark is a handler's new low-water mark.
type Mark struct {
	Handler  HandlerID
	LowWater int64
}

// Settlement ends one attempt of a run.
//
// It is fenced: it counts only when its attempt is the one that runs (recorded by Start, or the next one where no Start
// was). A late or repeated settlement changes nothing and comes back as Fenced.
type Settlement struct {
	Event   *events.Event
	Handler HandlerID
	ID      string // the run's; empty: it began under the handler's name
	Attempt int
	Claimed bool // Start recorded the attempt
	Started time.Time
	Joins   []int64 // as in Claim, when Attempt is 1 and not Claimed
	// Statement is the user statement that Effect runs, if it runs one. Hold is how long that may take, if it is longer
	// than [Options.StatementTimeout]: it then has a transaction of its own, and no other held
	// statement begins until the others have had the writer for as long.
	Statement *Statement
	Hold      time.Duration
	// Outcome is the result, when Effect is nil.
	Outcome Outcome
	// Effect, when not nil, runs inside the transaction and gives the outcome. When it isn't Succeeded, all that it wrote
	// is undone. It must not block, nor keep tx, and may be called again when the transaction must be repeated.
	Effect func(tx Tx) Outcome
	// Atomic says that undoing Effect takes a savepoint: it has more than one statement, or can fail after the first.
	Atomic bool
}

// Outcome is the state that an attempt leaves its run in.
type Outcome struct {
	State         RunState
	Error         string
	NextAttemptAt time.Time       // when Retrying
	Emit          []*events.Event // appended to the journal in the same transaction
	Uncounted     bool            // when Retrying: the run's Budget grows by one, so that the attempt uses none of it up
}

// Settled is the answer to a [Settlement].
type Settled struct {
	Fenced bool
	Outcome
}

// Tx is the transaction as an effect sees it.
type Tx interface {
	// InsertUser stores a user; ID and CreatedAt are given by the store. A user with this e-mail address makes
	// [ErrConflict], unless on says otherwise.
	InsertUser(u User, on OnConflict) (User, error)
	// Exec runs a user statement, with a value for each of its parameters, in their order: nil, int64, float64,
	// string or []byte. It may read all tables, and write those that aren't the store's own. After an error nothing of it
	// is written if the settlement is Atomic.
	//
	// Errors: [ErrConflict] for a unique key, [ErrStatement] for what would fail again, [ErrTimeout] when the statement took
	// longer than [Options.StatementTimeout], or the settlement's Hold. It then was tried a second time, by itself, and with
	// the time of the processor for a clock where the system has it.
	Exec(s *Statement, args []any) (Result, error)
}
