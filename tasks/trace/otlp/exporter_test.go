package otlp_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/trace"
	"evrun/tasks/trace/otlp"
	"evrun/tasks/trace/otlp/otlptest"
)

const sender = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// all takes every trace, and does not wait for long.
func all(url string) otlp.Settings {
	return otlp.Settings{URL: url + "/v1/traces", Sampler: trace.Sampler{Ratio: 1}, Delay: 10 * time.Millisecond}
}

// logs is a log that tests read.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// run runs an exporter until stop.
func run(t *testing.T, s otlp.Settings, o otlp.Options) (x *otlp.Exporter, said *logs, stop func()) {
	said = new(logs)
	o.StoreID, o.Version, o.Log = "abcdefgh", "1.2.3", slog.New(slog.NewTextHandler(said, nil))
	if o.Backoff == 0 {
		o.Backoff = time.Millisecond
	}
	x = otlp.New(s, o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return x, said, stop
}

func event(seq int64, extensions map[string]any) *events.Event {
	return &events.Event{Sequence: seq, Chain: seq, ID: fmt.Sprint("e", seq), Source: "/test", Type: "order.placed", Subject: "ada@example.com", CorrelationID: fmt.Sprint("e", seq),
		Data: []byte(`{"secret":"hunter2"}`), AcceptedAt: time.Now().UTC().Add(-time.Millisecond), Extensions: extensions}
}

// attempt is the commit of an attempt.
func attempt(e *events.Event, n int, state store.RunState, failure string) store.Commit {
	began := time.Now().Add(-time.Second)
	r := store.Run{ID: fmt.Sprintf("%d-ship-abcdefgh", e.Sequence), Handler: "ship", Sequence: e.Sequence, State: state, Attempt: n, Error: failure, StartedAt: began, FinishedAt: began.Add(time.Second / 2)}
	return store.Commit{Runs: []store.Run{{ID: "by hand"}, r}, Attempts: []store.Attempted{{Run: 1, Event: e}}}
}

func TestSpansOfEventsAndAttempts(t *testing.T) {
	c := otlptest.Start(t)
	s := all(c.URL)
	s.Resource = map[string]string{"deployment.environment.name": "test"}
	x, _, stop := run(t, s, otlp.Options{Kinds: func() map[string]string { return map[string]string{"ship": "http"} }})
	e := event(7, map[string]any{"traceparent": sender, "tracestate": "a=1"})
	x.Observe(store.Commit{Events: []*events.Event{e}})
	x.Observe(attempt(e, 1, store.Retrying, "no <answer>\x1b[2J"))
	x.Observe(attempt(e, 2, store.Succeeded, ""))
	x.Observe(store.Commit{Events: []*events.Event{event(8, nil)}})
	stop()

	published, first, second := c.Named("publish order.placed", 0), c.Named("process ship", 1), c.Named("process ship", 2)
	if published.ParentSpanID != "b7ad6b7169203331" || published.Kind != 4 || published.State != "a=1" || published.Flags != 0x301 || published.Code != 0 {
		t.Errorf("the event's: %+v", published)
	}
	for _, s := range []otlptest.Span{published, first, second} {
		if s.TraceID != "0af7651916cd43dd8448eb211c80319c" || s.Resource["service.name"] != "evrun" || s.Resource["service.version"] != "1.2.3" || s.Resource["deployment.environment.name"] != "test" {
			t.Errorf("%s: %+v", s.Name, s)
		}
		if text := fmt.Sprint(s); strings.Contains(text, "hunter2") || strings.Contains(text, "ada@") {
			t.Errorf("data or the subject is sent: %s", text)
		}
	}
	if first.ParentSpanID != published.SpanID || second.ParentSpanID != published.SpanID || first.Kind != 5 || first.Flags != 0x101 || len(first.Links) != 0 {
		t.Errorf("the first attempt's: %+v", first)
	}
	if first.Code != 2 || first.Message != "no <answer>\x1b[2J" || second.Code != 0 || first.Ended.Sub(first.Began) != time.Second/2 {
		t.Errorf("status: %+v, %+v", first, second)
	}
	if len(second.Links) != 1 || second.Links[0].SpanID != first.SpanID || second.Links[0].TraceID != first.TraceID {
		t.Errorf("the second's links: %+v", second.Links)
	}
	for name, want := range map[string]any{"messaging.system": "evrun", "messaging.destination.name": "order.placed", "messaging.message.id": "e7", "messaging.operation.type": "create",
		"cloudevents.event_source": "/test", "evrun.seq": int64(7), "messaging.message.body.size": int64(20), "evrun.store": "abcdefgh"} {
		if published.Attributes[name] != want {
			t.Errorf("%s: %v", name, published.Attributes[name])
		}
	}
	for name, want := range map[string]any{"messaging.operation.type": "process", "messaging.consumer.group.name": "ship", "evrun.kind": "http", "evrun.run.id": "7-ship-abcdefgh",
		"evrun.run.state": "retrying", "evrun.attempt": int64(1), "error.type": "_OTHER"} {
		if first.Attributes[name] != want {
			t.Errorf("%s: %v", name, first.Attributes[name])
		}
	}
	if n := x.Counts(); n != (otlp.Counts{Sent: 4}) {
		t.Errorf("%+v", n)
	}
	alone := c.Wait("all", func(s []otlptest.Span) bool { return len(s) == 4 })[3]
	if own := x.Tracer().Event(8, 8, trace.Context{}); alone.TraceID != own.TraceID.String() || alone.SpanID != own.SpanID.String() || alone.ParentSpanID != "" || alone.Flags != 1 {
		t.Errorf("the one without a sender: %+v", alone)
	}
}

func TestAReplayLinksToTheRecordedEvent(t *testing.T) {
	c := otlptest.Start(t)
	recorded := event(7, map[string]any{"traceparent": sender})
	x, _, _ := run(t, all(c.URL), otlp.Options{Events: func(_ context.Context, sequences []int64) ([]*events.Event, error) {
		if len(sequences) != 1 || sequences[0] != 7 {
			t.Errorf("reads %v", sequences)
		}
		return []*events.Event{recorded}, nil
	}})
	again := event(9, nil)
	again.ReplayOf = 7
	x.Observe(store.Commit{Events: []*events.Event{again}})
	s := c.Named("publish order.placed", 0)
	own := x.Tracer().Event(7, 7, must(trace.Of(recorded)))
	if len(s.Links) != 1 || s.Links[0].TraceID != own.TraceID.String() || s.Links[0].SpanID != own.SpanID.String() || s.TraceID == own.TraceID.String() {
		t.Errorf("%+v", s)
	}
}

func must(c trace.Context, _ bool) trace.Context { return c }

func TestSpansThatAreNotSampledAreNotSent(t *testing.T) {
	c := otlptest.Start(t)
	x, _, stop := run(t, all(c.URL), otlp.Options{})
	no := event(1, map[string]any{"traceparent": sender[:53] + "00"})
	x.Observe(store.Commit{Events: []*events.Event{no, event(2, nil)}})
	x.Observe(attempt(no, 1, store.Dead, "no"))
	stop()
	if s := c.Spans(); len(s) != 1 || s[0].Attributes["evrun.seq"] != int64(2) {
		t.Errorf("%+v", s)
	}
}

// A collector that is down, slow or full delays nobody: the queue is bounded, what is too much is counted, and what waits is sent when it is back.
func TestACollectorThatComesBack(t *testing.T) {
	c := otlptest.Start(t)
	var down atomic.Bool
	var tries atomic.Int64
	down.Store(true)
	c.Answer = func(w http.ResponseWriter, r *http.Request) (keep, answered bool) {
		if tries.Add(1); !down.Load() {
			return true, false
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader([]int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadGateway}[tries.Load()%3])
		return false, true
	}
	s := all(c.URL)
	s.Queue, s.Batch = 10, 4
	x, said, stop := run(t, s, otlp.Options{SayEvery: time.Nanosecond})
	for i := range 30 {
		x.Observe(store.Commit{Events: []*events.Event{event(int64(i+1), nil)}})
	}
	for x.Trouble() == "" || tries.Load() < 3 {
		<-time.After(time.Millisecond)
	}
	down.Store(false)
	stop()
	n, got := x.Counts(), c.Spans()
	if n.Sent != int64(len(got)) || n.Sent+n.Full != 30 || n.Sent < 10 || n.Sent > 14 || n.Full < 16 {
		t.Errorf("%+v, and the collector has %d", n, len(got))
	}
	seen := map[string]bool{}
	for _, s := range got {
		if seen[s.SpanID] {
			t.Errorf("%s came twice", s.SpanID)
		}
		seen[s.SpanID] = true
	}
	if x.Trouble() != "" || !strings.Contains(said.String(), "spans were lost") || !strings.Contains(said.String(), "queue_full") {
		t.Errorf("%q, logged: %s", x.Trouble(), said)
	}
}

func TestHostileCollectors(t *testing.T) {
	var elsewhere atomic.Int64
	other := otlptest.Start(t)
	other.Answer = func(http.ResponseWriter, *http.Request) (bool, bool) { elsewhere.Add(1); return false, false }
	huge := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   otlp.Counts
		says   string
	}{
		"refuses":  {func(w http.ResponseWriter) { http.Error(w, "no \x1b[2J key", http.StatusUnauthorized) }, otlp.Counts{Unsent: 2}, `401 Unauthorized: no \u001b[2J key`},
		"a status": {func(w http.ResponseWriter) { json(w, 400, `{"code":3,"message":"bad span"}`) }, otlp.Counts{Unsent: 2}, "400 Bad Request: bad span"},
		"redirects": {func(w http.ResponseWriter) {
			w.Header().Set("Location", other.URL+"/v1/traces")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, otlp.Counts{Unsent: 2}, "307"},
		"partial": {func(w http.ResponseWriter) {
			json(w, 200, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}`)
		}, otlp.Counts{Sent: 1, Rejected: 1}, "too old"},
		"partial, number": {func(w http.ResponseWriter) {
			json(w, 200, `{"partialSuccess":{"rejectedSpans":1,"errorMessage":"too old"}}`)
		}, otlp.Counts{Sent: 1, Rejected: 1}, "too old"},
		"rejects more": {func(w http.ResponseWriter) { json(w, 200, `{"partialSuccess":{"rejectedSpans":"99999"}}`) }, otlp.Counts{Rejected: 2}, ""},
		"rejects less": {func(w http.ResponseWriter) { json(w, 200, `{"partialSuccess":{"rejectedSpans":"-5"}}`) }, otlp.Counts{Sent: 2}, ""},
		"a warning":    {func(w http.ResponseWriter) { json(w, 200, `{"partialSuccess":{"errorMessage":"use gzip"}}`) }, otlp.Counts{Sent: 2}, ""},
		"garbage":      {func(w http.ResponseWriter) { json(w, 200, `{"partialSuccess":[`) }, otlp.Counts{Sent: 2}, ""},
		"huge":         {func(w http.ResponseWriter) { json(w, 200, huge) }, otlp.Counts{Sent: 2}, ""},
		"huge refusal": {func(w http.ResponseWriter) { http.Error(w, huge, http.StatusForbidden) }, otlp.Counts{Unsent: 2}, "403 Forbidden: xxx"},
		"empty":        {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, otlp.Counts{Sent: 2}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			col := otlptest.Start(t)
			col.Answer = func(w http.ResponseWriter, r *http.Request) (bool, bool) { c.answer(w); return false, true }
			x, _, stop := run(t, all(col.URL), otlp.Options{})
			x.Observe(store.Commit{Events: []*events.Event{event(1, nil), event(2, nil)}})
			stop()
			if n := x.Counts(); n != c.want {
				t.Errorf("%+v, want %+v", n, c.want)
			}
			if text := x.Trouble(); !strings.Contains(text, c.says) || (c.says == "") != (text == "") || len(text) > 2000 {
				t.Errorf("it says %q", text)
			}
		})
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func json(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// A stop does not wait for longer than it may, whatever the collector does.
func TestAStopDoesNotWaitForACollectorThatHangs(t *testing.T) {
	c := otlptest.Start(t)
	hung := make(chan struct{})
	c.Answer = func(w http.ResponseWriter, r *http.Request) (bool, bool) {
		<-hung
		return false, true
	}
	defer close(hung)
	s := all(c.URL)
	s.Timeout = time.Hour
	x, said, stop := run(t, s, otlp.Options{Flush: 50 * time.Millisecond})
	x.Observe(store.Commit{Events: []*events.Event{event(1, nil), event(2, nil)}})
	stop() // the test would time out
	if n := x.Counts(); n.Unsent != 2 || !strings.Contains(said.String(), "not_sent=2") {
		t.Errorf("%+v: %s", n, said)
	}
	x.Observe(store.Commit{Events: []*events.Event{event(3, nil)}}) // nobody sends it
}

func TestACollectorThatIsNotThereIsReportedAtTheStart(t *testing.T) {
	c := otlptest.Start(t)
	c.Close()
	x, said, stop := run(t, all(c.URL), otlp.Options{})
	for x.Trouble() == "" {
		<-time.After(time.Millisecond)
	}
	stop()
	if !strings.Contains(said.String(), "spans can't be sent") || !strings.Contains(said.String(), "connection refused") {
		t.Errorf("logged: %s", said)
	}
}

func TestHeadersAndCompression(t *testing.T) {
	c := otlptest.Start(t)
	s := all(c.URL)
	s.Gzip, s.Headers = true, http.Header{"Api-Key": {"k y"}}
	x, _, _ := run(t, s, otlp.Options{})
	x.Observe(store.Commit{Events: []*events.Event{event(1, nil)}})
	c.Named("publish order.placed", 0)
	if _, h := c.Requests(); h.Get("Api-Key") != "k y" || h.Get("Content-Encoding") != "gzip" || h.Get("User-Agent") != "evrun/1.2.3" {
		t.Errorf("%v", h)
	}
}
