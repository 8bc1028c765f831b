package otlp

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/fault"
	"evrun/tasks/trace"
)

// Options are the parts of an exporter. Fields without a default are required.
type Options struct {
	StoreID string
	Version string // of evrun
	// Events reads recorded events, for the links of replays. Nil: they have none.
	Events func(ctx context.Context, sequences []int64) ([]*events.Event, error)
	// Kinds returns the kinds of the handlers, by their names. Nil: spans have none.
	Kinds func() map[string]string
	Log   *slog.Logger
	// Flush is how long Run goes on after its context has ended, to send what is left. Default 5s.
	Flush time.Duration
	// Backoff is the wait before the second try of a request; it doubles up to half a minute, and after a minute the spans are dropped. Default 1s.
	Backoff time.Duration
	// SayEvery is how often lost spans are logged at most. Default: a minute.
	SayEvery time.Duration
}

// Counts are the numbers of spans since the exporter was made.
type Counts struct {
	Sent     int64
	Full     int64 // dropped, because the queue was full
	Unsent   int64 // dropped, because the collector did not take them in time, or refused the request
	Rejected int64 // of those that were sent, by the collector
}

// Exporter sends spans. Its methods are safe for concurrent use.
type Exporter struct {
	o        Options
	s        Settings
	tracer   *trace.Tracer
	client   *http.Client
	resource map[string]string

	mu     sync.Mutex
	queue  []record      // from first on; the places before are empty
	first  int           // index in queue
	enough chan struct{} // has a value if there are spans for a whole request

	sent, full, unsent, rejected atomic.Int64
	trouble                      atomic.Pointer[string] // why the last request failed; nil: it did not

	// Owned by Run.
	encoder   encoder
	batch     []record
	notBefore time.Time // the next request
	said      time.Time // when lost spans were logged
	before    Counts    // at that time
}

const serviceName = "service.name"

// New makes an exporter; Run sends its spans.
func New(s Settings, o Options) *Exporter {
	s.Timeout, s.Queue = cmp.Or(s.Timeout, defaultTimeout), cmp.Or(s.Queue, defaultQueue)
	s.Batch, s.Delay = min(cmp.Or(s.Batch, defaultBatch), s.Queue), cmp.Or(s.Delay, defaultDelay)
	o.Flush, o.Backoff, o.SayEvery = cmp.Or(o.Flush, 5*time.Second), cmp.Or(o.Backoff, time.Second), cmp.Or(o.SayEvery, time.Minute)
	x := &Exporter{o: o, s: s, tracer: trace.NewTracer(o.StoreID, s.Sampler), client: newClient(&s), enough: make(chan struct{}, 1)}
	x.encoder.tracer, x.encoder.store = x.tracer, o.StoreID
	x.resource = map[string]string{serviceName: "evrun", "service.instance.id": o.StoreID}
	if o.Version != "" {
		x.resource["service.version"] = o.Version
	}
	maps.Copy(x.resource, s.Resource)
	return x
}

// Tracer knows the ids of the spans.
func (x *Exporter) Tracer() *trace.Tracer { return x.tracer }

// Counts returns how many spans were sent and lost.
func (x *Exporter) Counts() Counts {
	return Counts{Sent: x.sent.Load(), Full: x.full.Load(), Unsent: x.unsent.Load(), Rejected: x.rejected.Load()}
}

// Trouble says why the last request failed; empty: it did not.
func (x *Exporter) Trouble() string {
	if text := x.trouble.Load(); text != nil {
		return *text
	}
	return ""
}

// failed sets what Trouble says.
func (x *Exporter) failed(text string) { x.trouble.Store(&text) }

// Observe queues the spans of a commit. It never waits: what does not fit is dropped and counted. It keeps nothing of the commit but texts.
func (x *Exporter) Observe(c store.Commit) {
	now := time.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	room := x.s.Queue - (len(x.queue) - x.first)
	n := min(room, len(c.Events))
	for _, e := range c.Events[:n] {
		r := recordOf(e)
		r.ended = now
		x.queue = append(x.queue, r)
	}
	m := min(room-n, len(c.Attempts))
	for _, a := range c.Attempts[:m] {
		r, run := recordOf(a.Event), &c.Runs[a.Run]
		r.run, r.handler, r.attempt, r.state, r.replayOf = run.ID, run.Handler, run.Attempt, run.State, 0
		r.began, r.ended, r.failure = run.StartedAt, run.FinishedAt, fault.Clip(run.Error, maxError)
		x.queue = append(x.queue, r)
	}
	x.full.Add(int64(len(c.Events) - n + len(c.Attempts) - m))
	if len(x.queue)-x.first >= x.s.Batch {
		select {
		case x.enough <- struct{}{}:
		default:
		}
	}
}

// take moves the first records of the queue to the batch.
func (x *Exporter) take() (whole bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := min(x.s.Batch, len(x.queue)-x.first)
	x.batch = append(x.batch[:0], x.queue[x.first:x.first+n]...)
	clear(x.queue[x.first : x.first+n])
	if x.first += n; x.first == len(x.queue) {
		if x.queue, x.first = x.queue[:0], 0; cap(x.queue) > 8*x.s.Batch { // a burst is over
			x.queue = nil
		}
	} else if x.first >= x.s.Queue { // the rest is short enough to be moved
		n := copy(x.queue, x.queue[x.first:])
		clear(x.queue[n:])
		x.queue, x.first = x.queue[:n], 0
	}
	return n == x.s.Batch
}

// Run sends spans until ctx ends, and then what is left, for at most [Options.Flush]. It returns nil: no collector stops evrun.
func (x *Exporter) Run(ctx context.Context) error {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(x.o.Flush, cancel) })
	defer stop()
	defer x.Close()
	x.probe(ctx)
	ticker := time.NewTicker(x.s.Delay)
	defer ticker.Stop()
	for {
		every := true
		select {
		case <-ticker.C:
		case <-x.enough:
			every = false
		case <-ctx.Done():
		}
		for {
			whole := x.take()
			if len(x.batch) > 0 {
				x.export(ctx, hard)
			}
			if !whole || !every && x.waiting() < x.s.Batch {
				break
			}
		}
		x.say(ctx.Err() != nil)
		if ctx.Err() != nil && x.waiting() == 0 {
			return nil
		}
	}
}

// Close closes the connection that is kept. Run does it at its end.
func (x *Exporter) Close() { x.client.CloseIdleConnections() }

// waiting is how many spans are in the queue.
func (x *Exporter) waiting() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.queue) - x.first
}

// export sends the batch. ctx ends when evrun stops; hard ends with the time for the rest.
func (x *Exporter) export(ctx, hard context.Context) {
	x.links(hard)
	w := &x.encoder
	if w.kinds = nil; x.o.Kinds != nil {
		w.kinds = x.o.Kinds()
	}
	w.begin(x.resource, x.o.Version)
	for i := range x.batch {
		w.span(&x.batch[i])
	}
	clear(x.batch)
	if w.spans == 0 {
		return
	}
	a, err := x.deliver(ctx, hard, w.end())
	x.delivered(w.spans, a, err)
}

// delivered counts the spans of a request.
func (x *Exporter) delivered(spans int, a answer, err error) {
	if err != nil {
		x.unsent.Add(int64(spans))
		x.failed(err.Error())
		return
	}
	rejected := min(max(a.rejected, 0), int64(spans))
	x.sent.Add(int64(spans) - rejected)
	x.rejected.Add(rejected)
	if x.trouble.Store(nil); a.message != "" {
		text := "the collector says: " + a.message
		if rejected == 0 {
			x.o.Log.Debug("spans: " + text)
		} else {
			x.failed(text)
		}
	}
}

// linksWithin is how long the reading of recorded events may take.
const linksWithin = time.Second

// links finds the recorded events of replays. Without one that was deleted since, a span has no link.
func (x *Exporter) links(ctx context.Context) {
	var sequences []int64
	for i := range x.batch {
		if r := &x.batch[i]; r.replayOf != 0 {
			sequences = append(sequences, r.replayOf)
		}
	}
	if len(sequences) == 0 || x.o.Events == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, linksWithin)
	defer cancel()
	list, err := x.o.Events(ctx, sequences)
	if err != nil {
		return
	}
	found := make(map[int64]trace.Context, len(list))
	for _, e := range list {
		sender, _ := trace.Of(e)
		found[e.Sequence] = x.tracer.Event(e.Sequence, e.Chain, sender)
	}
	for i := range x.batch {
		x.batch[i].replayed = found[x.batch[i].replayOf]
	}
}

// say logs how many spans were lost since it last did, not too often; at the end at once.
func (x *Exporter) say(last bool) {
	now, c := time.Now(), x.Counts()
	lost := c.Full + c.Unsent + c.Rejected - x.before.Full - x.before.Unsent - x.before.Rejected
	if lost == 0 || !last && now.Sub(x.said) < x.o.SayEvery {
		return
	}
	args := []any{"spans", lost, "queue_full", c.Full - x.before.Full, "not_sent", c.Unsent - x.before.Unsent, "rejected", c.Rejected - x.before.Rejected, "to", x.s.Place()}
	if text := x.Trouble(); text != "" {
		args = append(args, "error", text)
	}
	x.o.Log.Warn("spans were lost", args...)
	x.said, x.before = now, c
}
