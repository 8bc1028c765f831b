// Package store says what evrun stores and what a store promises; the drivers below it (store/sqlite) do it.
//
// A store holds the journal of accepted events, the marks of the handlers and their runs, the users, and the marks of the
// schedules, all in one database, so that a run's effect, its state and the events it emits commit together or not at all.
//
// Promises that every store keeps, and that package storetest checks:
//
//   - A call that returns nil has its writes on disk.
//   - A pair (source, id) is accepted once; sequences only grow, and follow the order of acceptance, also when events are
//     deleted.
//   - Committed events and runs are handed to [Options.OnCommit] in order of commit, each once, before the call that
//     wrote them returns.
//   - All methods are safe for concurrent use.
//
// Times are UTC, in microseconds.
package store

import (
	"context"
	"time"

	"evrun/events"
)

// Store is an open database. Every method that writes waits for Run, and returns [ErrFull] or [ErrBusy] when nothing could
// be written now (try again later), [ErrBroken] after an I/O error (what was written is unknown until the next start), and
// [ErrClosed] once Run has ended. A context ends the wait for a place in the writer's queue; a write that got one is
// waited for.
type Store interface {
	Journal
	Handlers
	Runs
	Users
	Schedules

	// Rewire puts a wiring in the place of the one before, in one transaction: all of it, or nothing. It returns its handlers as
	// Register does.
	//
	// Migrations run first. They may do what [Tx.Exec] allows, and create, alter and drop what isn't the store's own; nothing
	// that they make may write to the store's own tables, reference them, or be made on them. Their errors are as in Exec,
	// with the handler's name; [ErrTimeout] when they took longer than [Wiring.Within]. The end of a context ends them, too.
	Rewire(ctx context.Context, w Wiring) ([]Consumer, error)

	// Run is the writer: it commits what the other methods write. When ctx ends, it commits what is waiting and returns nil;
	// after an I/O error, when the store can promise nothing any more, it returns that error: stop, and start anew. So it does
	// within seconds when the store's files are removed or replaced ([ErrReplaced]).
	Run(ctx context.Context) error
	// Close closes the database; Run must have ended.
	Close() error
}

// Journal is the durable, ordered log of accepted events.
type Journal interface {
	// Read runs a statement of the user's own that only reads ([Statement.Reads]), beside the writer: it sees what is committed
	// at some moment after the call began. It is stopped when ctx ends or, when ctx has no deadline, after 5 s: [ErrTimeout]. Few run at a
	// time, and others wait. Values and errors are as in [Tx.Exec].
	Read(ctx context.Context, s *Statement, args []any) (Result, error)

	// Ping waits until the writer has come to it, as a write would, and writes nothing. Unlike a write, it ends with its context.
	Ping(ctx context.Context) error

	// ID is this database's own random name, made with it: 8 characters of [a-z2-7].
	ID() string
	// Append accepts events, in order and in one transaction, and gives each new one its Sequence, and one without a Chain that
	// Sequence as its Chain (both in the Event too).
	// An event whose (source, id) is known already changes nothing: its receipt is the first one's, marked Duplicate.
	// Append keeps the events: they must not be changed afterwards.
	Append(ctx context.Context, evs []*events.Event) ([]Receipt, error)
	// Events returns a page of the journal. One with much data (4 MiB) ends before its limit; only the end is empty.
	Events(ctx context.Context, q EventQuery) ([]*events.Event, error)
	// Event returns the event with this id (the latest, should several sources use it), or [ErrNotFound].
	Event(ctx context.Context, id string) (*events.Event, error)
	// Head is the sequence of the last accepted event, whether or not it is still stored; 0 before the first.
	Head(ctx context.Context) (int64, error)
}

// Receipt is the journal's answer for one event.
type Receipt struct {
	Sequence  int64
	Duplicate bool
}

// EventQuery selects events. The zero value is the first page of everything.
type EventQuery struct {
	After      int64            // only events with a greater sequence
	Before     int64            // only events with a smaller sequence; 0: no bound
	Since      time.Time        // only events accepted at or after; zero: no bound
	Patterns   []events.Pattern // only events whose type matches one; none: all
	Chain      int64            // only the event with this sequence, and those that it caused, near or far; 0: all
	ID, Source string           // with both, only the one event that they name
	// Unsettled, when not 0, leaves out the events that the handler of this number has a run for.
	Unsettled HandlerID
	// Sequences, when not nil, takes only the events with one of these.
	Sequences []int64
	// Last takes the last Limit events of the selection instead of the first; they still come in ascending order.
	Last  bool
	Limit int // at most so many; 0: 1,000
	// MaxBytes ends a page that has so much data, with the event that fills it; 0: 4 MiB.
	MaxBytes int
}

// Runs keeps what the handlers did.
type Runs interface {
	// Start records that attempts begin, before an outside handler acts: all of them, or none. A claim that is not the next
	// attempt of its run comes back as false.
	Start(ctx context.Context, claims []Claim) ([]bool, error)
	// Settle ends attempts, each with its effect, its state and its emitted events, and moves low-water marks. One settlement is
	// whole or not at all. A batch is one transaction, or several where statements of the user's own take time
	// ([Options.StatementTimeout]): its settlements in their order, the marks with the last. The results have that order, too;
	// beside an error they are of those that are settled, from the first on, and nothing else was written. [ErrClash] means that
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
	// Counts says how many runs of each handler are under way or dead, by the handler's name. It costs what they are.
	Counts(ctx context.Context) (map[string]Counts, error)
	// Joined returns the sequences of the events that the run of a handler on one event has taken along, ascending.
	Joined(ctx context.Context, h HandlerID, sequence int64) ([]int64, error)
	// Attempts returns the failed attempts of a run, oldest first.
	Attempts(ctx context.Context, id string) ([]Attempt, error)
	// Retry makes dead runs due again now, with a new budget of attempts, and returns them as they then are. At most limit of the
	// selection.
	Retry(ctx context.Context, q RunQuery) ([]Run, error)
	// Drop ends runs for good, as Dropped, and returns how many they were: those in the query's states, the dead ones where it
	// names none. Runs that are running or retrying are dropped only if their handler is not active: an attempt of theirs that still
	// goes on is fenced off. The history of their attempts stays.
	Drop(ctx context.Context, q RunQuery) (int, error)
}

// Counts is how many runs of a handler are in the states that are not the end of them.
type Counts struct{ Running, Retrying, Dead int }

// RunState is where a run stands.
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

// Settled says whether the run is over: succeeded, skipped, dead or dropped.
func (s RunState) Settled() bool {
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
	// Joined is set on a skipped run whose event another run of the handler has taken along: the sequence of that one's event.
	Joined int64
}

// RunQuery selects runs. Set fields narrow it down together. Retry looks at dead runs only, and Drop at those that it may drop.
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

// Claim says that an attempt of a run begins.
type Claim struct {
	Handler  HandlerID
	Sequence int64
	Attempt  int // from 1; the run must be new (1) or retrying with Attempt-1
	At       time.Time
	// Joins are the sequences of other events that a new run takes along, of which none has a run yet: each gets one that is
	// skipped, and that says so, with the run and not without it.
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
	// Statement is the one of the user's own that Effect runs, if it runs one. Hold is how long that may take, if it is longer
	// than [Options.StatementTimeout]: it then has a transaction of its own, and no other one of the kind begins until the
	// writer has been everybody's for as long as it was held.
	Statement *Statement
	Hold      time.Duration
	// Outcome is what came of it, when Effect is nil.
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
	// Exec runs a statement of the user's own, with a value for each of its parameters, in their order: nil, int64, float64,
	// string or []byte. It may read all tables, and write those that aren't the store's own. After an error nothing of it
	// is written if the settlement is Atomic.
	//
	// Errors: [ErrConflict] for a unique key, [ErrStatement] for what would fail again, [ErrTimeout] when the statement took
	// longer than [Options.StatementTimeout], or the settlement's Hold. It then was tried a second time, by itself, and with
	// the time of the processor for a clock where the system has it.
	Exec(s *Statement, args []any) (Result, error)
}

// OnConflict is what InsertUser does about a known e-mail address.
type OnConflict int8

// The ways to handle a conflict.
const (
	Fail   OnConflict = iota // ErrConflict
	Ignore                   // keep the stored user and return it
	Update                   // replace name and attributes
)

// User is a stored user.
type User struct {
	ID         int64
	Name       string
	Email      string // unique, whatever the case of its letters
	Attributes []byte // a JSON object, or nil
	CreatedAt  time.Time
	EventID    string // the event that brought it
}

// Users reads the users.
type Users interface {
	// User finds one by e-mail address, or by id when key is a decimal number; [ErrNotFound] otherwise.
	User(ctx context.Context, key string) (User, error)
	// ListUsers returns users with an id greater than after, in order of id; limit 0: 1,000.
	ListUsers(ctx context.Context, after int64, limit int) ([]User, error)
	// CountUsers counts them.
	CountUsers(ctx context.Context) (int64, error)
}

// Schedules keeps how far each schedule has come.
type Schedules interface {
	// ScheduleMarks returns the marks of all schedules by name.
	ScheduleMarks(ctx context.Context) (map[string]ScheduleMark, error)
	// FireSlots accepts slots' events and moves the schedules' marks, in one transaction. Receipts are as in Append: a Duplicate
	// is a slot that fired before its mark was lost, and does not fire again.
	FireSlots(ctx context.Context, marks []ScheduleMark, evs []*events.Event) ([]Receipt, error)
	// ForgetSchedules deletes the marks of schedules: should one of the name come again, it begins anew.
	ForgetSchedules(ctx context.Context, names []string) error
}

// ScheduleMark says how far a schedule has come.
type ScheduleMark struct {
	Name   string
	Since  time.Time // when the schedule was first seen: slots before are none of its
	Slot   time.Time // every slot up to here was dealt with
	Fired  time.Time // the last slot whose event was accepted; zero: none
	Timing string    // tells its slots from those of another timing
	Paused bool      // by hand
}

// Commit is what one transaction of the store made true.
type Commit struct {
	Events []*events.Event
	Runs   []Run // changed runs, when somebody wants them (see Options.WantRuns)
}

// Options for opening a store.
type Options struct {
	// OnCommit is called by the writer after each commit that accepted events or changed runs. It must not block, and may
	// keep the slices. Default: nothing.
	OnCommit func(Commit)
	// WantRuns says whether anybody reads Commit.Runs now; nil: never.
	WantRuns func() bool
	// StatementTimeout is how long one statement of the user's own may take in a transaction, and all of them in one. Default 50ms.
	StatementTimeout time.Duration
	// MaxData is the largest data of an event, in bytes: what bounds the values that statements of the user's own may meet.
	// Default [DefaultMaxData].
	MaxData int
	// MaxWAL bounds the write-ahead log, in bytes: while somebody reads for so long that it reaches this, writes get [ErrFull].
	// Default [DefaultMaxWAL].
	MaxWAL int64
	// Synchronous "normal" trades the durability of the last moments before a power cut for speed. Default "full".
	Synchronous string
	// At is called by the writer at each [Point] of a transaction, for tests that crash there. Default: nothing.
	At func(Point)
	// Unattended says that this process runs no handlers: a new one begins at the first event that such a process accepted since
	// the last Register.
	Unattended bool
	// Warn is told, in words, what was mended when the store was opened, which checks were left out, and what is wrong while it
	// runs. Default: nobody.
	Warn func(note string)
	// Unwatched leaves out the looks at the store's files and at its write-ahead log, one or two a second: for tests in which
	// years pass.
	Unwatched bool
	// Now is what time is written; nil: time.Now.
	Now func() time.Time
}

// How large an event's data may be, in bytes, unless the settings say otherwise, and at the most.
const (
	DefaultMaxData = 1 << 20
	LargestMaxData = 64 << 20
)

// Point is a moment in the life of a transaction: what a crash there loses, and what it must not, differs.
type Point string

// The points, in the order in which a transaction meets them.
const (
	BeforeBegin   Point = "before begin"
	BeforeCommit  Point = "before commit"  // all effects and settlements are written, none is kept
	AfterCommit   Point = "after commit"   // on disk, and nobody knows
	BeforeAnswers Point = "before answers" // OnCommit was told, the callers were not
)
