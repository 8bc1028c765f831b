package tasks

import (
	"context"
	"errors"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
	"evrun/tasks/schema"
)

// Handler is one wired entry, compiled: which events, on what condition, what to do, and how hard to try.
type Handler struct {
	Name string
	On   []events.Pattern
	When *expression.Expr // nil: always
	Kind string
	// Action is what the kind does with the entry's inputs: an [Outside] or an [Inside].
	Action      Action
	Retry       Retry
	Timeout     time.Duration    // of one attempt; 0: none
	Concurrency int              // attempts of an [Outside] or a [Reading] at a time; 0: 4
	OrderBy     *expression.Expr // events with one key run one after the other, through all retries; nil: no order
	Rate        Rate             // how often attempts may begin; zero: no limit
	Debounce    *Debounce        // one run for each burst of events; nil: one for each event. Not with OrderBy
	Emit        []Emission       // accepted in the transaction that settles the run as succeeded
	OnDead      *Emission        // accepted in the transaction that settles the run as dead; nil: evrun.run.dead alone
	FromStart   bool             // a new handler begins at the journal's start, not at its head
	FromMark    bool             // one that returns to the wiring goes on at its mark, however long it was gone
	Was         string           // the name that it had before, whose mark and unsettled runs it takes over; empty: none
	// Version tells what is written of the handler from what another wiring has under its name: see [Runner.Replace]. Empty: it
	// is like no other.
	Version string
	// Redact takes secrets out of an error's text before it is stored, logged or published; nil: there are none.
	Redact func(text string) string
}

// matches says whether events of this type go to the handler.
func (h *Handler) matches(typ string) bool {
	for _, p := range h.On {
		if p.Match(typ) {
			return true
		}
	}
	return false
}

// Retry says how failed attempts are repeated: after Backoff, doubled each time up to Max, with full jitter.
type Retry struct {
	Attempts     int           // in all; default 5
	Backoff, Max time.Duration // default 1s and 1m
}

// Emission is an event that a handler emits.
type Emission struct {
	Type    *expression.Template
	Subject *expression.Template // nil: none
	Data    *expression.Value    // nil: the handler's result, and in OnDead what is known of the failure
}

// EventType is a declared type of event.
type EventType struct {
	Type        string
	Description string
	Schema      *schema.Schema // what its data must be; nil: anything
	Version     string         // tells what is written of it from another wiring's
}

// Delivery is one event at one handler, at one attempt: what a kind sees.
type Delivery struct {
	Event   *events.Event
	Env     *expression.Env // what the inputs' expressions see
	Handler string
	RunID   string // the same at every attempt: the idempotency key
	Attempt int    // from 1
	// MaxData is how large the result may be that becomes the data of an event, in bytes of JSON; 0: [DefaultMaxEvent].
	MaxData int

	foreseen *foreseen // of an inside handler that emits

	attempts  *attempts // nil: no program can publish in the run's name
	variables map[string]string
	token     string // empty: not asked for
}

// Action is a configured kind: an [Outside], a [Reading], an [Inside] or a [Computed]. It may be a [Migrator] as well, and an io.Closer, whose
// Close is called when all attempts have ended.
type Action any

// Migrator is an [Action] that needs tables of its own in evrun's database.
type Migrator interface {
	// Migrations gives the statements that make them. Each runs once in the life of the database, before the first event: all
	// in one transaction with the wiring that they belong to, so that a wiring that is refused leaves nothing of them behind.
	Migrations() []*store.Statement
}

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

// Reading reads evrun's own database, beside its writer, and changes nothing. Read runs in a worker goroutine as Do of an
// [Outside] does; no attempt is recorded before it starts, since one that was cut off did nothing.
type Reading interface {
	Read(ctx context.Context, in store.Store, d *Delivery) (result any, err error)
}

// Stating is an [Inside] whose effects run a statement of the user's own. The statement may take as long as hold says, or
// where that is 0, as [store.Options.StatementTimeout] does.
type Stating interface {
	Inside
	UserStatement() (s *store.Statement, hold time.Duration)
}

// Effect writes through tx. It must not block, nor keep tx, and may be called again when a transaction is repeated.
type Effect func(tx store.Tx) (result any, err error)

// Computed neither acts on the world nor writes by itself: its result, with the events that it emits, is known before the
// transaction that settles the run, and no attempt is recorded before it starts.
type Computed interface {
	Compute(d *Delivery) (result any, err error)
}

// Result is a result that need not be made unless somebody looks at it. It is encoded by its AppendJSON.
type Result interface {
	// Value is what expressions see. b bounds the work, and may be nil.
	Value(b *expression.Budget) (any, error)
	AppendJSON(dst []byte) ([]byte, error)
}

// Permanent marks an error that no further attempt can mend: the run is dead at once.
func Permanent(err error) error { return &permanentError{err} }

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter marks an error after which the next attempt must not start before d has passed.
func RetryAfter(d time.Duration, err error) error { return &retryAfterError{d, err} }

type retryAfterError struct {
	after time.Duration
	err   error
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// isPermanent says whether a retry is of no use.
func isPermanent(err error) bool {
	var p *permanentError
	var x *expression.Error
	return errors.As(err, &p) || errors.As(err, &x) || errors.Is(err, store.ErrConflict)
}
