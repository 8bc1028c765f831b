package tasks

import (
	"context"
	"log/slog"
	"time"

	"evrun/store"
)

// Action is a configured kind: an [Outside], a [Reading], an [Inside] or a [Computed].
//
// Optional methods declare further abilities and needs: [Opener], [Migrator], [Logging], [Stating], [Unbounded], [Printer], and io.Closer, whose Close is
// called when all attempts have ended. Only the table of kinds compares the names of kinds.
type Action any

// Outside acts on the world. Do runs in a goroutine of its handler's pool, at least once for each event; ctx ends at the handler's timeout or
// when the daemon's grace period is over. The result is the default data of the emitted event.
type Outside interface {
	Do(ctx context.Context, d *Delivery) (result any, err error)
}

// Inside writes to evrun's own database. Prepare evaluates the inputs outside the transaction and returns an effect that runs inside, so that effect,
// state and emitted events commit together, exactly once.
type Inside interface {
	Prepare(d *Delivery) (Effect, error)
}

// Effect is what an [Inside] writes in the transaction that settles the run: a user, or what Write writes. An error undoes it. Its functions must not
// block, and may be called again when a transaction is repeated.
type Effect struct {
	User *store.User // to be inserted; nil: none
	On   store.OnConflict
	// Stored makes the result of the stored user, or the error of why it was not stored. It may fail.
	Stored func(u store.User, err error) (result any, failure error)
	// Write writes through tx, and must not keep it. Many users are cheaper as User.
	Write func(tx store.Tx) (result any, err error)
}

// Reading reads evrun's own database, beside its writer, and changes nothing. Read runs in a goroutine of its handler's pool, like Do of an
// [Outside]. No attempt is recorded before it starts, because an interrupted one did nothing.
type Reading interface {
	Read(ctx context.Context, in store.Store, d *Delivery) (result any, err error)
}

// Computed has no effect outside, except for lines in the daemon's own log. Its result and the events that it emits are known before the transaction
// that settles the run. No attempt is recorded before it starts, and Compute runs in the worker's own goroutine: it must not wait for anything but
// that log, and while the log is stuck only this handler waits.
type Computed interface {
	Compute(d *Delivery) (result any, err error)
}

// Logging is a [Computed] that writes to the daemon's log. A line may come twice: a kill between the line and the commit repeats the attempt.
type Logging interface {
	Computed
	Logs()
}

// Stubbed reports whether a test of the wiring file replaces an action by a stub: it does something that is not in evrun's own database.
func Stubbed(a Action) bool {
	switch a.(type) {
	case Outside, Logging:
		return true
	}
	return false
}

// Stating is an [Inside] whose effects run a user statement. hold is how long the statement may take; 0: the default for all statements.
type Stating interface {
	Inside
	UserStatement() (s *store.Statement, hold time.Duration)
}

// Migrator is an [Action] that needs its own tables in evrun's database.
type Migrator interface {
	// Migrations returns the statements that make them. Each statement runs once in the life of the database, before the first event. All run in one
	// transaction with their wiring, so that a refused wiring creates no tables.
	Migrations() []*store.Statement
}

// Unbounded is an [Outside] whose attempts may never end unless the handler has a timeout.
type Unbounded interface {
	Outside
	// MayHang names what may hang, such as "a command".
	MayHang() string
}

// Printer is an [Outside] whose attempts have an output, which [Delivery.Capture] keeps.
type Printer interface {
	Outside
	// Prints names the output, such as "what the program prints".
	Prints() string
}

// Opener is an [Action] that uses its surroundings. The runner calls Open once, when the handler begins and before its first attempt. Reading a
// wiring file needs no surroundings. Open must not do anything that can fail: an action opens files at its first attempt, so that the daemon starts
// even if a file is missing.
type Opener interface {
	Open(s Surroundings)
}

// Surroundings are the parts of the daemon that actions may use.
type Surroundings struct {
	Log *slog.Logger // required
	// OpenDatabase opens a database other than evrun's own; create makes it if it does not exist. Nil: no others can be opened.
	OpenDatabase func(path string, create bool) (store.Database, error)
	// Concurrency is the maximum number of concurrent attempts; 0: unknown.
	Concurrency int
	// ResultUnused says that nobody reads the results of attempts: an action need not make them.
	ResultUnused bool
}

// openAction gives an action its surroundings.
func (r *Runner) openAction(h *Handler) {
	if o, ok := h.Action.(Opener); ok {
		o.Open(Surroundings{
			Log: r.o.Log, OpenDatabase: r.o.OpenDatabase, Concurrency: h.WithDefaults().Concurrency, ResultUnused: len(h.Emit) == 0,
		})
	}
}
