// Package emitter is the only way into the journal: an [Emitter] checks and stamps events, and appends them.
//
// What comes from outside goes through Emit or Check, events of the user's types that a part of evrun makes through Own, those that a run emits through
// Child, and evrun's own events through Notice and OfDead. The server, the scheduler and the runner of the handlers share one Emitter. It starts no
// goroutine.
package emitter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
	"evrun/tasks/schema"
	"evrun/tasks/trace"
)

// DefaultMaxEvent is the default limit of an event's data, in bytes: 1 MiB.
const DefaultMaxEvent = store.DefaultMaxData

// Emitter is the only way into the journal. It checks every event and fills in the attributes that its sender omitted. Safe for concurrent use.
type Emitter struct {
	journal store.Journal
	source  string // of evrun's own events; the sources of its parts begin with it
	maxData int
	types   atomic.Pointer[declared] // nil: none to check
	known   atomic.Pointer[[]EventType]
	now     func() time.Time
	refused Refusals
}

// New makes an emitter for events of at most maxData bytes of data; 0: [DefaultMaxEvent].
func New(journal store.Journal, maxData int) *Emitter {
	if maxData <= 0 {
		maxData = DefaultMaxEvent
	}
	em := &Emitter{journal: journal, maxData: maxData, now: time.Now}
	if journal != nil {
		em.source = "/evrun/" + journal.ID()
	}
	return em
}

// Source returns the source of evrun's own events, /evrun/STOREID followed by part, such as /schedules/nightly. Nobody else can publish under it, so
// nobody else can use these events' ids.
func (em *Emitter) Source(part string) string { return em.source + part }

// MaxData returns the maximum number of bytes of an event's data.
func (em *Emitter) MaxData() int { return em.maxData }

// owns reports whether a source is evrun's own.
func (em *Emitter) owns(source string) bool {
	rest, ok := strings.CutPrefix(source, em.source)
	return ok && em.source != "" && (rest == "" || rest[0] == '/')
}

// SetClock replaces the clock, by default time.Now. Call it before the first use.
func (em *Emitter) SetClock(now func() time.Time) { em.now = now }

// RefusedError says why an event was not accepted. The sender must correct it.
type RefusedError struct {
	Msg      string
	TooLarge bool
	Event    int // number of the refused event among several, from 1; 0: there was only one
	// Violations lists the violations of the type's schema; More is the number of those left out. nil: the event was refused for another reason.
	Violations []schema.Violation
	More       int
}

// Error gives the message and, in the same line, the violations.
func (e *RefusedError) Error() string {
	if len(e.Violations) == 0 {
		return e.Msg
	}
	return e.Msg + ": " + schema.Join(e.Violations, e.More)
}

func refused(format string, args ...any) error {
	return &RefusedError{Msg: fmt.Sprintf(format, args...)}
}

// Emit accepts events from outside, all or none. When the error is nil, they are on disk. An invalid event is a [RefusedError]; other errors are the
// store's.
func (em *Emitter) Emit(ctx context.Context, evs ...*events.Event) ([]store.Receipt, error) {
	return em.EmitFor(ctx, nil, evs...)
}

// EmitFor is Emit for events that a run on the event cause publishes; nil: no run.
func (em *Emitter) EmitFor(ctx context.Context, cause *events.Event, evs ...*events.Event) ([]store.Receipt, error) {
	for i, e := range evs {
		if err := em.CheckFor(e, cause); err != nil {
			var refused *RefusedError
			if errors.As(err, &refused) && len(evs) > 1 {
				refused.Event = i + 1
			}
			em.refused.count(err, len(evs)-1) // with it, as none is accepted
			return nil, err
		}
	}
	return em.Accept(ctx, evs)
}

// Accept is Emit for events that have passed Check.
func (em *Emitter) Accept(ctx context.Context, evs []*events.Event) ([]store.Receipt, error) {
	receipts, err := em.journal.Append(ctx, evs)
	if err != nil {
		em.refused.count(err, len(evs))
	}
	return receipts, err
}

// Check stamps and checks an event from outside, as Emit does. It replaces the event's chain attributes: the event begins a chain.
func (em *Emitter) Check(e *events.Event) error { return em.CheckFor(e, nil) }

// CheckFor is Check for an event that a run on the event cause publishes, and that belongs to cause's chain; nil: no run.
func (em *Emitter) CheckFor(e, cause *events.Event) error {
	err := em.checkFor(e, cause)
	if err != nil {
		em.refused.count(err, 1)
	}
	return err
}

func (em *Emitter) checkFor(e, cause *events.Event) error {
	if events.Reserved(e.Type) {
		return refused("type %q: types under %s are evrun's own; choose another name", e.Type, events.ReservedPrefix)
	}
	if e.Target != "" {
		return refused("attribute target: the name is evrun's own, for events that it repeats for one handler (evrun replay); choose another name for your attribute, or put it into data")
	}
	e.Chain, e.Cause, e.Hops, e.ReplayOf, e.AcceptedAt, e.ErasedAt = 0, 0, 0, 0, time.Time{}, time.Time{}
	if cause != nil {
		join(e, cause)
	}
	if err := em.stamp(e); err != nil {
		return err
	}
	if em.owns(e.Source) {
		return refused("source %q: sources under %s are this evrun's own, for the events that it makes itself; leave the source out, or choose another one such as /shop/checkout",
			e.Source, em.source)
	}
	return nil
}

// stamp fills in missing attributes and checks the event's number of hops, its size, and with fit the rest.
func (em *Emitter) stamp(e *events.Event) error { return em.stampWithin(e, nil) }

// stampWithin is stamp with a bound on its work, which may be nil.
func (em *Emitter) stampWithin(e *events.Event, b *expression.Budget) error {
	em.fill(e)
	if e.Hops > events.MaxHops {
		return refused("event %q would be number %d in a chain of events that cause each other, and %d is the limit: is there a loop in the wiring?",
			e.Type, e.Hops, events.MaxHops)
	}
	if len(e.Data) > em.maxData {
		return &RefusedError{TooLarge: true, Msg: fmt.Sprintf("data of %d bytes: an event may have %d (server.max_event in the wiring file)", len(e.Data), em.maxData)}
	}
	return em.fit(e, b)
}

// fill fills in missing attributes, and removes a trace context that is not valid.
func (em *Emitter) fill(e *events.Event) {
	e.Sequence = 0
	trace.Clean(e)
	if e.ID == "" {
		e.ID = events.NewID()
	}
	if e.Source == "" {
		e.Source = "/evrun"
	}
	if e.Time.IsZero() {
		e.Time = em.now()
	}
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	if e.CorrelationID == "" {
		e.CorrelationID = e.ID
	}
}

// fit checks an event's attributes, and its data against its type's schema. The bound on its work may be nil.
func (em *Emitter) fit(e *events.Event, b *expression.Budget) error {
	if err := b.Spend(len(e.Data) / 64); err != nil {
		return err
	}
	if err := e.Validate(); err != nil {
		return &RefusedError{Msg: err.Error()}
	}
	if err := checkOwn(e.Type); err != nil {
		return err
	}
	if types := em.types.Load(); types != nil {
		return types.check(e, b)
	}
	return nil
}

// Own stamps an event that a part of evrun makes, with the source of [Emitter.Source]. Pass it to Accept.
func (em *Emitter) Own(part string, e *events.Event) error {
	e.Source = em.Source(part)
	return em.stamp(e)
}

// Join puts one of evrun's own events, not yet accepted, into the chain of its cause.
func (em *Emitter) Join(e, cause *events.Event) error {
	join(e, cause)
	return em.stamp(e)
}

func join(e, cause *events.Event) {
	e.Chain, e.Cause, e.Hops = cause.Chain, cause.Sequence, cause.Hops+1
	if e.CorrelationID == "" || e.CorrelationID == e.ID {
		e.CorrelationID = cause.CorrelationID
	}
	if e.CausationID == "" {
		e.CausationID = cause.ID
	}
	if c, ok := trace.Of(cause); ok {
		c.Give(e)
	}
}

// Child completes an event that a run on the event cause emits, with this data. b bounds the work, and may be nil. An event whose source is the run's
// handler and whose id has the run's can only be accepted once.
func (em *Emitter) Child(e, cause *events.Event, data any, b *expression.Budget) (err error) {
	if err := b.SpendOn(data); err != nil {
		return err
	}
	if e.Data, err = MarshalData(data); err != nil {
		return refused("data of the emitted event %q: %v", e.Type, err)
	}
	join(e, cause)
	return em.stampWithin(e, b)
}

// MarshalData encodes a value as an event's data: nil gives none; a json.RawMessage, and the output of an AppendJSON, are used unchanged.
func MarshalData(v any) (json.RawMessage, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return v, nil
	case interface {
		AppendJSON(dst []byte) ([]byte, error)
	}:
		return v.AppendJSON(nil)
	}
	return events.MarshalJSON(v)
}

// Stamp fills in missing attributes and checks an event; it also allows evrun's own types. It is for an event that is only asked about and never
// published.
func (em *Emitter) Stamp(e *events.Event) error { return em.stamp(e) }
