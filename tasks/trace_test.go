package tasks_test

import (
	"context"
	"errors"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/trace"
)

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// What a run emits is in the trace of its event. Without a tracer it has the event's own context; with one, the attempt that succeeded is its parent.
func TestWhatARunEmitsInheritsTheTrace(t *testing.T) {
	for name, traced := range map[string]bool{"without spans": false, "with spans": true} {
		t.Run(name, func(t *testing.T) {
			var tr *trace.Tracer
			given := make(chan trace.Context, 10)
			attempts := 0
			flaky := outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
				given <- d.Trace()
				if attempts++; attempts == 1 {
					return nil, errors.New("again")
				}
				return nil, nil
			})
			failing := outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, tasks.Permanent(errors.New("no")) })
			d := startTuned(t, path(t), sqlite.Options{}, func(o *tasks.Options, s store.Store) {
				if traced {
					tr = trace.NewTracer(s.ID(), trace.Sampler{Ratio: 1})
				}
				o.Tracer = tr
			},
				&tasks.Handler{Name: "inside", On: on("a"), Action: saveUser, Emit: emits(t, "b")},
				&tasks.Handler{Name: "outside", On: on("b"), Action: flaky, Emit: emits(t, "c")},
				&tasks.Handler{Name: "dies", On: on("c"), Action: failing, OnDead: onDeadEntry(t, "d", nil)},
			)
			root := &events.Event{Type: "a", ID: "1", Source: "/test", Extensions: map[string]any{"traceparent": traceparent, "tracestate": "x=y"}}
			if _, err := d.emitter.Emit(t.Context(), root); err != nil {
				t.Fatal(err)
			}
			d.settled(3)
			seq := root.Sequence
			b, c, onDead, dead := d.event(seq+1), d.event(seq+2), d.event(seq+3), d.event(seq+4)
			run := func(e *events.Event, handler string, attempt int) string {
				if !traced {
					return traceparent
				}
				return tr.Attempt(e, store.RunID(e.Sequence, handler, d.store.ID()), attempt).Parent()
			}
			for _, want := range []struct {
				e      *events.Event
				typ    string
				parent string
			}{{b, "b", run(root, "inside", 1)}, {c, "c", run(b, "outside", 2)}, {onDead, "d", run(c, "dies", 1)}, {dead, events.TypeRunDead, run(c, "dies", 1)}} {
				if want.e.Type != want.typ || want.e.Extensions["traceparent"] != want.parent || want.e.Extensions["tracestate"] != "x=y" {
					t.Errorf("%s has %v, want the parent %s", want.e.Type, want.e.Extensions, want.parent)
				}
			}
			if dead.Extensions["level"] != int64(1) {
				t.Errorf("the notice lost its level: %v", dead.Extensions)
			}
			for attempt := 1; attempt <= 2; attempt++ {
				if got := (<-given).Parent(); got != run(b, "outside", attempt) {
					t.Errorf("attempt %d was given %s", attempt, got)
				}
			}
		})
	}
}

// With spans, the attempt is the parent of what its run emits, even if nobody sent a context. Without, nothing is added.
func TestEventsWithoutATrace(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: saveUser, Emit: emits(t, "b")})
	root := d.emit("a", "1")
	d.settled(1)
	if e := d.event(root.Sequence + 1); e.Type != "b" || e.Extensions != nil {
		t.Errorf("without spans: %+v", e)
	}
	var tr *trace.Tracer
	d = startTuned(t, path(t), sqlite.Options{}, func(o *tasks.Options, s store.Store) {
		tr = trace.NewTracer(s.ID(), trace.Sampler{Ratio: 1})
		o.Tracer = tr
	}, &tasks.Handler{Name: "h", On: on("a"), Action: saveUser, Emit: emits(t, "b")})
	root = d.emit("a", "1")
	d.settled(1)
	e := d.event(root.Sequence + 1)
	parent, _ := trace.Of(e)
	if own := tr.Event(root.Sequence, root.Chain, trace.Context{}); parent.TraceID != own.TraceID || parent != tr.Attempt(root, store.RunID(root.Sequence, "h", d.store.ID()), 1) {
		t.Errorf("with spans: %+v", e)
	}
}

func TestAReplayBeginsATraceOfItsOwn(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: saveUser})
	e := &events.Event{Type: "a", ID: "1", Source: "/test", Extensions: map[string]any{"traceparent": traceparent, "tracestate": "x=y", "tenant": "z"}}
	if _, err := d.emitter.Emit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	again, err := d.emitter.Repeat(e, "h", "r-1")
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Extensions) != 1 || again.Extensions["tenant"] != "z" || len(e.Extensions) != 3 {
		t.Errorf("%v, from %v", again.Extensions, e.Extensions)
	}
}
