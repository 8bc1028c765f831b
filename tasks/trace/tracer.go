package trace

import (
	"crypto/sha256"
	"strconv"

	"evrun/events"
)

// Tracer knows the ids of the spans of one store's events and attempts, and which of them are recorded. Nil: none is. Safe for concurrent use.
type Tracer struct {
	store   string
	sampler Sampler
}

// NewTracer makes a tracer for a store, by its id.
func NewTracer(store string, s Sampler) *Tracer { return &Tracer{store: store, sampler: s} }

// Sampler says which spans are recorded.
type Sampler struct {
	// Ratio is the part of the traces that are recorded, as OpenTelemetry's traceidratio decides by their ids.
	Ratio float64
	// Always: also if the sender of an event has recorded its span, or not, Ratio decides. Otherwise its decision holds.
	Always bool
}

// samples decides on a span whose event has this context, or none.
func (s Sampler) samples(id TraceID, sender Context, has bool) bool {
	if has && !s.Always {
		return sender.Sampled()
	}
	if s.Ratio >= 1 {
		return true
	}
	var n uint64
	for _, b := range id[8:] {
		n = n<<8 | uint64(b)
	}
	return float64(n>>1) < s.Ratio*(1<<63)
}

// Event returns the context of an accepted event's own span, and that of its sender, which is its parent; has is false if it has none.
func (t *Tracer) Event(e *events.Event) (own, sender Context, has bool) {
	sender, has = Of(e)
	own = Context{TraceID: t.traceOf(e, sender, has), SpanID: t.spanOfEvent(e.Sequence), State: sender.State}
	own.Flags = t.flags(own.TraceID, sender, has)
	return own, sender, has
}

// Attempt returns the context of an attempt's own span, which its events, its command or its request get. run is the run's id. Without a tracer, it is
// the context of the event; the zero value if it has none.
func (t *Tracer) Attempt(e *events.Event, run string, attempt int) Context {
	sender, has := Of(e)
	if t == nil {
		return sender
	}
	own := Context{TraceID: t.traceOf(e, sender, has), SpanID: t.SpanOfAttempt(run, attempt), State: sender.State}
	own.Flags = t.flags(own.TraceID, sender, has)
	return own
}

// TraceOf returns the id of the trace that an event belongs to; ok is false if it has none, which only happens without a tracer.
func (t *Tracer) TraceOf(e *events.Event) (id TraceID, ok bool) {
	sender, has := Of(e)
	if t == nil {
		return sender.TraceID, has
	}
	return t.traceOf(e, sender, has), true
}

func (t *Tracer) traceOf(e *events.Event, sender Context, has bool) (id TraceID) {
	if has {
		return sender.TraceID
	}
	t.digest(id[:], "trace", strconv.FormatInt(e.Chain, 10), 0)
	return id
}

// spanOfEvent returns the id of an event's span.
func (t *Tracer) spanOfEvent(sequence int64) (id SpanID) {
	t.digest(id[:], "event", strconv.FormatInt(sequence, 10), 0)
	return id
}

// SpanOfAttempt returns the id of an attempt's span.
func (t *Tracer) SpanOfAttempt(run string, attempt int) (id SpanID) {
	t.digest(id[:], "attempt", run, attempt)
	return id
}

// digest fills an id.
func (t *Tracer) digest(id []byte, what, name string, n int) {
	text := make([]byte, 0, 128)
	text = append(append(text, t.store...), ' ')
	text = append(append(text, what...), ' ')
	text = append(append(text, name...), ' ')
	sum := sha256.Sum256(strconv.AppendInt(text, int64(n), 10))
	copy(id, sum[:])
}

func (t *Tracer) flags(id TraceID, sender Context, has bool) (flags byte) {
	if has {
		flags = sender.Flags & Random
	}
	if t.sampler.samples(id, sender, has) {
		flags |= Sampled
	}
	return flags
}
