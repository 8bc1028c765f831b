package emitter

import (
	"errors"
	"sync/atomic"

	"evrun/store"
)

// Reason is why an event was not accepted, in a few words for statistics. The sender got the whole reason.
type Reason int8

// The reasons.
const (
	Invalid     Reason = iota // it is malformed, or has a type or an attribute that is not allowed
	Schema                    // its data breaks the schema of its type
	TooLarge                  // it has more data than server.max_event allows
	Full                      // the store has no space
	Busy                      // too many send at the same time
	Stopping                  // the daemon is stopping
	Unavailable               // the store can't be written to

	reasons int = iota
)

var reasonNames = [reasons]string{
	Invalid: "invalid", Schema: "schema", TooLarge: "too_large", Full: "full", Busy: "busy", Stopping: "stopping", Unavailable: "unavailable",
}

// String gives the name that the metrics have: "invalid", "schema", "too_large", "full", "busy", "stopping", "unavailable".
func (r Reason) String() string { return reasonNames[r] }

// Refusals counts the events that were refused, by reason. The zero value has none. Safe for concurrent use.
type Refusals struct{ n [reasons]atomic.Int64 }

// Refused returns the counts of the events that this emitter refused, or that were refused before they came to it.
func (em *Emitter) Refused() *Refusals { return &em.refused }

// Add counts events that were refused before they came to the emitter.
func (r *Refusals) Add(why Reason, n int) { r.n[why].Add(int64(n)) }

// Each calls f for each reason.
func (r *Refusals) Each(f func(why Reason, n int64)) {
	for why := range r.n {
		f(Reason(why), r.n[why].Load())
	}
}

// count counts events that were refused with an error of the emitter or of the journal. One whose sender has gone was not refused.
func (r *Refusals) count(err error, n int) {
	var refused *RefusedError
	switch {
	case errors.As(err, &refused) && refused.TooLarge:
		r.Add(TooLarge, n)
	case errors.As(err, &refused) && len(refused.Violations) > 0:
		r.Add(Schema, n)
	case errors.As(err, &refused), errors.Is(err, store.ErrNotActive):
		r.Add(Invalid, n)
	case errors.Is(err, store.ErrFull):
		r.Add(Full, n)
	case errors.Is(err, store.ErrClosed):
		r.Add(Stopping, n)
	case errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrBroken):
		r.Add(Unavailable, n)
	}
}
