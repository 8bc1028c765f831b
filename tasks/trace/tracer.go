package trace

import (
	"crypto/sha256"
	"encoding/binary"
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

// samples decides on a span whose sender has this context, or none.
func (s Sampler) samples(id TraceID, sender Context) bool {
	if sender.Valid() && !s.Always {
		return sender.Sampled()
	}
	if s.Ratio >= 1 {
		return true
	}
	return float64(binary.BigEndian.Uint64(id[8:])>>1) < s.Ratio*(1<<63)
}

// Event returns the context of an accepted event's own span. sender is what [Of] gives: the parent.
func (t *Tracer) Event(sequence, chain int64, sender Context) Context {
	own := t.inTrace(chain, sender)
	t.digest(own.SpanID[:], "event", strconv.FormatInt(sequence, 10), 0)
	return own
}

// AttemptOf returns the context of an attempt's own span. run is the run's id, sender what [Of] gives of its event.
func (t *Tracer) AttemptOf(chain int64, sender Context, run string, attempt int) Context {
	own := t.inTrace(chain, sender)
	t.digest(own.SpanID[:], "attempt", run, attempt)
	return own
}

// Attempt is AttemptOf for what the attempt hands on to its events, its command or its request. Without a tracer, it is the context of the event; the
// zero value if it has none.
func (t *Tracer) Attempt(e *events.Event, run string, attempt int) Context {
	sender, _ := Of(e)
	if t == nil {
		return sender
	}
	return t.AttemptOf(e.Chain, sender, run, attempt)
}

// TraceOf returns the id of the trace that an event belongs to; ok is false if it has none, which only happens without a tracer.
func (t *Tracer) TraceOf(e *events.Event) (id TraceID, ok bool) {
	sender, has := Of(e)
	if t == nil {
		return sender.TraceID, has
	}
	return t.inTrace(e.Chain, sender).TraceID, true
}

// inTrace returns a context without a span: the trace of the sender, or that of the chain.
func (t *Tracer) inTrace(chain int64, sender Context) (c Context) {
	if c = sender; !sender.Valid() {
		t.digest(c.TraceID[:], "trace", strconv.FormatInt(chain, 10), 0)
	}
	if c.Flags &^= Sampled; t.sampler.samples(c.TraceID, sender) {
		c.Flags |= Sampled
	}
	return c
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
