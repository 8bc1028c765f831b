package tasks

import (
	"context"
	"log/slog"
	"time"

	"evrun/store"
	"evrun/tasks/expression"
)

// Action is a configured kind: an [Outside], a [Reading], an [Inside] or a [Computed].
//
// What else an action can do, or needs, it says by further methods: [Opener], [Migrator], [SingleWrite], [Stating], [Unbounded], and
// io.Closer, whose Close is called when all attempts have ended. Nothing outside of the table of kinds asks for a kind's name.
type Action any

// Outside acts on the world. Do runs in a worker goroutine, at least once for each event; ctx ends at the handler's
// timeout or when the daemon's grace period is over. The result becomes the emitted event's data.
type Outside interface {
	Do(ctx context.Context, d *Delivery) (result any, err error)
}

// Inside writes to evrun's own database. Prepare evaluates the inputs outside the transaction; the effect that it returns
// runs in it, so that effect, state and emitted events commit together, exactly once.
type Inside interface {
	Prepare(d *Delivery) (Effect, error)
}

// Effect writes through tx. It must not block, nor keep tx, and may be called again when a transaction is repeated.
type Effect func(tx store.Tx) (result any, err error)

// Reading reads evrun's own database, beside its writer, and changes nothing. Read runs in a worker goroutine as Do of an
// [Outside] does. No attempt is recorded before it starts, because an interrupted one did nothing.
type Reading interface {
	Read(ctx context.Context, in store.Store, d *Delivery) (result any, err error)
}

// Computed neither acts on the world nor writes by itself: its result, with the events that it emits, is known before the
// transaction that settles the run, and no attempt is recorded before it starts.
type Computed interface {
	Compute(d *Delivery) (result any, err error)
}

// Result is a result that is decoded and encoded only when needed. It is encoded by its AppendJSON.
type Result interface {
	// Value is what expressions see. b bounds the work, and may be nil.
	Value(b *expression.Budget) (any, error)
	AppendJSON(dst []byte) ([]byte, error)
}

// SingleWrite is an [Inside] whose effects write once and cannot fail after it. All other effects cost a savepoint, to undo what
// they wrote before they failed.
type SingleWrite interface {
	Inside
	SingleWrite()
}

// Stating is an [Inside] whose effects run a statement of the user's own. The statement may take as long as hold says, or where
// that is 0, as long as any statement may.
type Stating interface {
	Inside
	UserStatement() (s *store.Statement, hold time.Duration)
}

// Migrator is an [Action] that needs tables of its own in evrun's database.
type Migrator interface {
	// Migrations returns the statements that make them. Each runs once in the life of the database, before the first event: all
	// in one transaction with the wiring that they belong to, so that a refused wiring leaves nothing of them behind.
	Migrations() []*store.Statement
}

// Unbounded is an [Outside] whose attempts may never end unless the handler has a timeout.
type Unbounded interface {
	Outside
	// MayHang says what may hang: "a command".
	MayHang() string
}

// Opener is an [Action] that uses its surroundings. The runner calls Open once, when the handler begins and before its first
// attempt. Reading a wiring file needs no surroundings. Open must not do anything that can fail: an action opens files at its
// first attempt, so that a missing one does not keep the daemon from starting.
type Opener interface {
	Open(s Surroundings)
}

// Surroundings is what the daemon has for actions.
type Surroundings struct {
	Log *slog.Logger // required
	// OpenDatabase opens a database other than evrun's own; create makes it if it does not exist. Nil: no others can be opened.
	OpenDatabase func(path string, create bool) (store.Database, error)
}

// openAction gives an action its surroundings.
func (r *Runner) openAction(h *Handler) {
	if o, ok := h.Action.(Opener); ok {
		o.Open(Surroundings{Log: r.o.Log, OpenDatabase: r.o.OpenDatabase})
	}
}
