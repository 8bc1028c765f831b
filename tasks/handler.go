package tasks

import (
	"errors"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
	"evrun/tasks/trace"
)

// Handler is one compiled entry of the wiring: its events, condition, action and retry policy.
type Handler struct {
	Name string
	On   []events.Pattern
	When *expression.Expr // nil: always
	Kind string
	// Action is the kind, configured with the entry's inputs.
	Action      Action
	Retry       Retry
	Timeout     time.Duration    // of one attempt; 0: none
	Concurrency int              // maximum number of concurrent attempts of an [Outside] or a [Reading]; 0: 4
	OrderBy     *expression.Expr // events with one key run one after the other, retries included; nil: no order
	Rate        Rate             // how often attempts may begin; zero: no limit
	Debounce    *Debounce        // one run for each burst of events; nil: one for each event. Not with OrderBy
	Emit        []emission.Entry // accepted in the transaction that settles the run as succeeded
	OnDead      *emission.Entry  // accepted in the transaction that settles the run as dead; nil: evrun.run.dead alone
	FromStart   bool             // a new handler begins at the journal's start, not at its head
	FromMark    bool             // a handler that returns to the wiring continues at its mark, however long it was absent
	Was         string           // its previous name, whose mark and unsettled runs it takes over; empty: none
	Description string           // for people; empty: none
	Labels      map[string]string
	Nodes       []string // which daemons run it, by their names or labels; none: all
	Disabled    bool     // it must not run: its events and its retries wait
	// Version changes when the handler's text in the wiring file changes: see [Runner.Replace]. Empty: the handler always counts as changed.
	Version string
	// KeepOutput is how many bytes of each stream of an attempt's output are kept, if the action has an output: see [Printer]; 0: [capture.Default],
	// or [capture.None].
	KeepOutput int
	// Redact removes secrets from an error's text before it is stored, logged or published; nil: no secrets.
	Redact func(text string) string
}

// LabelsOf implements [control.Labeled].
func (h *Handler) LabelsOf() map[string]string { return h.Labels }

// RunsOn reports whether a daemon with a name and labels runs the handler.
func (h *Handler) RunsOn(name string, labels []string) bool {
	return len(h.Nodes) == 0 || slices.ContainsFunc(h.Nodes, func(n string) bool { return n == name || slices.Contains(labels, n) })
}

// Matches reports whether an event goes to the handler.
func (h *Handler) Matches(e *events.Event) bool {
	return h.Takes(e) && slices.ContainsFunc(h.On, func(p events.Pattern) bool { return p.Match(e.Type) })
}

// Takes reports whether an event of the handler's types goes to it: the event has no target, or the target is this handler, by its name or the
// previous one. The store knows exactly up to where a handler has taken over: see [store.Consumer.Takes].
func (h *Handler) Takes(e *events.Event) bool {
	return e.Target == "" || e.Target == h.Name || e.Target == h.Was
}

// Retry says how failed attempts are repeated: after Backoff, doubled each time up to Max, less a random part of at most half.
type Retry struct {
	Attempts     int           // total number; default 5
	Backoff, Max time.Duration // default 1s and 1m
}

// Delivery is a kind's view of one attempt: one event at one handler.
type Delivery struct {
	Event   *events.Event
	Env     *expression.Env // the variables of the inputs' expressions
	Handler string
	RunID   string // the same at every attempt: the idempotency key
	Attempt int    // from 1
	// MaxData limits a result that becomes the data of an event, in bytes of JSON; 0: [emitter.DefaultMaxEvent].
	MaxData int

	printing *printing          // nil: its output is not kept
	foreseen *emission.Foreseen // of an inside handler that emits

	tracer   *trace.Tracer
	attempts *attempts // nil: programs can't publish in the run's name
	token    string    // empty: not asked for
}

// Trace returns the trace context for what the attempt asks others to do; the zero value if there is none.
func (d *Delivery) Trace() trace.Context { return d.tracer.Attempt(d.Event, d.RunID, d.Attempt) }

func (d *Delivery) run() emission.Run {
	return emission.Run{ID: d.RunID, Event: d.Event, Env: d.Env, Attempt: d.Attempt, Tracer: d.tracer}
}

// Permanent marks an error that no further attempt can fix: the run is dead at once.
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

// isPermanent reports whether a retry is useless.
func isPermanent(err error) bool {
	var p *permanentError
	var r *emission.RefusedError
	var x *expression.Error
	return errors.As(err, &p) || errors.As(err, &r) || errors.As(err, &x) || errors.Is(err, store.ErrConflict)
}
