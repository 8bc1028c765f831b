package tasks

import (
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
	// Version differs when the handler's text in the wiring file differs: see [Runner.Replace]. Empty: the handler equals no other.
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
	Data    *expression.Value    // nil: the handler's result, and in OnDead the failure
}

// EventType is a declared type of event.
type EventType struct {
	Type        string
	Description string
	Schema      *schema.Schema // of its data; nil: any data
	Version     string         // differs when its text in the wiring file differs
}

// Delivery is a kind's view of one attempt: one event at one handler.
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
