package otlp

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/trace"
)

// record is what a span is made of: an accepted event or, with run, an attempt. It holds neither the event nor its data.
type record struct {
	sequence, chain int64
	hops, size      int
	id, source, typ string
	correlation     string
	replayOf        int64
	sender          trace.Context
	began, ended    time.Time
	run, handler    string
	attempt         int
	state           store.RunState
	failure         string
	replayed        trace.Context // of the recorded event, once it is known
}

// maxError is how many bytes of an error are sent.
const maxError = 1 << 10

func recordOf(e *events.Event) record {
	sender, _ := trace.Of(e)
	return record{
		sequence: e.Sequence, chain: e.Chain, hops: e.Hops, size: len(e.Data), id: e.ID, source: e.Source, typ: e.Type, correlation: e.CorrelationID,
		replayOf: e.ReplayOf, sender: sender, began: e.AcceptedAt,
	}
}

// numbers of OTLP's enumerations.
const (
	kindProducer = 4
	kindConsumer = 5
	statusError  = 2
	isRemote     = 0x300 // flags: it is known that the parent is remote
	isLocal      = 0x100
)

// encoder writes an ExportTraceServiceRequest in OTLP's JSON: ids in hexadecimal, numbers of 64 bits as strings, enumerations as numbers.
type encoder struct {
	tracer *trace.Tracer
	store  string
	kinds  map[string]string // of handlers
	out    []byte
	spans  int
}

// begin begins a request.
func (w *encoder) begin(resource map[string]string, version string) {
	w.out, w.spans = append(w.out[:0], `{"resourceSpans":[{"resource":{"attributes":[`...), 0
	for i, name := range slices.Sorted(maps.Keys(resource)) {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.text(name, resource[name])
	}
	w.out = append(w.out, `]},"scopeSpans":[{"scope":{"name":"evrun","version":`...)
	w.out = append(events.AppendJSONText(w.out, version), `},"spans":[`...)
}

func (w *encoder) end() []byte {
	w.out = append(w.out, `]}]}]}`...)
	return w.out
}

// span adds the span of a record, unless it is not sampled.
func (w *encoder) span(r *record) {
	event := w.tracer.Event(r.sequence, r.chain, r.sender)
	if !event.Sampled() {
		return
	}
	if w.spans++; w.spans > 1 {
		w.out = append(w.out, ',')
	}
	own, parent, kind, name := event, r.sender.SpanID, kindProducer, "publish "+r.typ
	if r.run != "" {
		own = w.tracer.AttemptOf(r.chain, r.sender, r.run, r.attempt)
		parent, kind, name = event.SpanID, kindConsumer, "process "+r.handler
	}
	flags := int(own.Flags)
	w.out = append(w.out, `{"traceId":"`...)
	w.out = append(append(w.out, own.TraceID.String()...), `","spanId":"`...)
	w.out = append(append(w.out, own.SpanID.String()...), '"')
	if own.State != "" {
		w.out = events.AppendJSONText(append(w.out, `,"traceState":`...), own.State)
	}
	if parent != (trace.SpanID{}) {
		w.out = append(append(append(w.out, `,"parentSpanId":"`...), parent.String()...), '"')
		if flags |= isLocal; r.run == "" {
			flags |= isRemote
		}
	}
	w.out = strconv.AppendInt(append(w.out, `,"flags":`...), int64(flags), 10)
	w.out = events.AppendJSONText(append(w.out, `,"name":`...), name)
	w.out = strconv.AppendInt(append(w.out, `,"kind":`...), int64(kind), 10)
	began, ended := r.began, r.ended
	if began.IsZero() || ended.Before(began) {
		began = ended
	}
	w.out = strconv.AppendInt(append(w.out, `,"startTimeUnixNano":"`...), began.UnixNano(), 10)
	w.out = strconv.AppendInt(append(w.out, `","endTimeUnixNano":"`...), ended.UnixNano(), 10)
	w.out = append(w.out, `","attributes":[`...)
	w.attributes(r)
	w.out = append(w.out, ']')
	w.links(r)
	if r.failure != "" {
		w.out = events.AppendJSONText(append(w.out, `,"status":{"code":2,"message":`...), r.failure)
		w.out = append(w.out, '}')
	}
	w.out = append(w.out, '}')
}

// attributes writes those of a span.
func (w *encoder) attributes(r *record) {
	w.text("messaging.system", "evrun")
	w.more("messaging.destination.name", r.typ)
	w.more("messaging.message.id", r.id)
	if r.run == "" {
		w.more("messaging.operation.name", "publish")
		w.more("messaging.operation.type", "create")
		if r.correlation != r.id {
			w.more("messaging.message.conversation_id", r.correlation)
		}
		w.moreInt("messaging.message.body.size", int64(r.size))
		w.more("cloudevents.event_id", r.id)
		w.more("cloudevents.event_source", r.source)
		w.more("cloudevents.event_type", r.typ)
		w.moreInt("evrun.hops", int64(r.hops))
		if r.replayOf != 0 {
			w.moreInt("evrun.replay_of", r.replayOf)
		}
	} else {
		w.more("messaging.operation.name", "process")
		w.more("messaging.operation.type", "process")
		w.more("messaging.consumer.group.name", r.handler)
		w.more("evrun.handler", r.handler)
		if kind := w.kinds[r.handler]; kind != "" {
			w.more("evrun.kind", kind)
		}
		w.more("evrun.run.id", r.run)
		w.more("evrun.run.state", r.state.String())
		w.moreInt("evrun.attempt", int64(r.attempt))
		if r.failure != "" {
			w.more("error.type", "_OTHER")
		}
	}
	w.more("evrun.store", w.store)
	w.moreInt("evrun.seq", r.sequence)
	w.moreInt("evrun.chain", r.chain)
}

// links writes those of a span: to the attempt before it, or to the recorded event.
func (w *encoder) links(r *record) {
	to, what := r.replayed, "replayed"
	if r.attempt > 1 {
		to, what = w.tracer.AttemptOf(r.chain, r.sender, r.run, r.attempt-1), "previous attempt"
	}
	if !to.Valid() {
		return
	}
	w.out = append(append(append(w.out, `,"links":[{"traceId":"`...), to.TraceID.String()...), `","spanId":"`...)
	w.out = append(append(w.out, to.SpanID.String()...), `","attributes":[`...)
	w.text("evrun.link", what)
	w.out = append(w.out, `]}]`...)
}

func (w *encoder) text(name, value string) {
	w.out = events.AppendJSONText(append(w.out, `{"key":`...), name)
	w.out = append(events.AppendJSONText(append(w.out, `,"value":{"stringValue":`...), value), `}}`...)
}

func (w *encoder) more(name, value string) {
	w.out = append(w.out, ',')
	w.text(name, value)
}

func (w *encoder) moreInt(name string, value int64) {
	w.out = append(append(append(w.out, `,{"key":"`...), name...), `","value":{"intValue":"`...)
	w.out = append(strconv.AppendInt(w.out, value, 10), `"}}`...)
}
