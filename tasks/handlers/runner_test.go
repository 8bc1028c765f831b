package handlers

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
	"evrun/tasks/taskstest"
)

// run gives one event to a handler, by the real runner on a real store, and returns its run when it is over.
func run(t *testing.T, action tasks.Action) store.Run {
	t.Helper()
	return runUntil(t, action, store.RunState.Ended)
}

func runUntil(t *testing.T, action tasks.Action, reached func(store.RunState) bool) store.Run {
	t.Helper()
	over := make(chan store.Run, 1)
	d := taskstest.Start(t, taskstest.Options{
		Store: sqlite.Options{Options: store.Options{
			WantRuns: func() bool { return true },
			OnCommit: func(c store.Commit) {
				for _, r := range c.Runs {
					if reached(r.State) {
						select {
						case over <- r:
						default:
						}
					}
				}
			},
		}},
		Tasks: tasks.Options{Grace: time.Second, Handlers: []*tasks.Handler{{
			Name: "h", On: []events.Pattern{events.MustPattern("user.registered")}, Kind: "http", Action: action,
			Retry: tasks.Retry{Attempts: 4, Backoff: time.Millisecond, Max: 2 * time.Millisecond},
		}}},
	})
	defer func() {
		if err := d.Stop(); err != nil {
			t.Errorf("runner: %v", err)
		}
	}()
	e := &events.Event{Type: "user.registered", ID: "e1", Source: "/test", Data: []byte(`{"name":"Ada"}`)}
	if _, err := d.Emitter.Emit(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	return <-over
}

func TestARunKeepsItsIdempotencyKeyUntilItSucceeds(t *testing.T) {
	var attempts atomic.Int32
	server, got := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		if attempts.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	r := run(t, request(t, map[string]any{"url": server.URL}, Deps{}))
	if r.State != store.Succeeded || r.Attempt != 3 {
		t.Errorf("%+v", r)
	}
	requests := got()
	if len(requests) != 3 {
		t.Fatalf("%d requests", len(requests))
	}
	for _, req := range requests {
		if key := req.header.Get("Idempotency-Key"); key != r.ID || key == "" || req.body != `{"name":"Ada"}` {
			t.Errorf("key %q, body %s, run %s", key, req.body, r.ID)
		}
	}
}

func TestARunIsDeadAfterOnePermanentAnswer(t *testing.T) {
	server, got := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, "no such field")
	})
	r := run(t, request(t, map[string]any{"url": server.URL}, Deps{}))
	if want := fmt.Sprintf("POST %s: 422 Unprocessable Entity: %q", server.URL, "no such field"); r.State != store.Dead || r.Attempt != 1 || r.Error != want || len(got()) != 1 {
		t.Errorf("%+v, want %s", r, want)
	}
}

func TestARefusedTargetIsDeadAtOnce(t *testing.T) {
	h := request(t, map[string]any{"url": "${ event.source }"}, Deps{})
	h2 := request(t, map[string]any{"url": `http://${ "metadata.test" }/`}, Deps{})
	dials := stub(h2.way.Guard, names)
	for _, action := range []tasks.Action{h, h2} {
		if r := run(t, action); r.State != store.Dead || r.Attempt != 1 {
			t.Errorf("%+v", r)
		}
	}
	if dials() != nil {
		t.Errorf("dialled %v", dials())
	}
}

func TestARunWaitsAsLongAsTheServerAsks(t *testing.T) {
	server, got := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	before := time.Now()
	r := runUntil(t, request(t, map[string]any{"url": server.URL}, Deps{}), func(s store.RunState) bool { return s == store.Retrying || s.Ended() })
	if r.State != store.Retrying || r.NextAttemptAt.Before(before.Add(time.Hour).Truncate(time.Microsecond)) || !strings.Contains(r.Error, "429 Too Many Requests") || len(got()) != 1 {
		t.Errorf("%+v, begun at %v", r, before)
	}
}

func TestAnEventOfAHandlerHasTheResultOfItsAttempt(t *testing.T) {
	server, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	typ, err := expression.CompileTemplate("answered", expression.HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	for kind, test := range map[string]struct {
		with map[string]any
		want string
	}{
		"http": {with("url", server.URL), `"body":"hello"`},
		"exec": {with("command", argv("echo", "hello")), `"hello"`},
	} {
		emitted := make(chan *events.Event, 1)
		d := taskstest.Start(t, taskstest.Options{
			Store: sqlite.Options{Options: store.Options{OnCommit: func(c store.Commit) {
				for _, e := range c.Events {
					if e.Type == "answered" {
						emitted <- e
					}
				}
			}}},
			Tasks: tasks.Options{Handlers: []*tasks.Handler{{
				Name: "h", On: []events.Pattern{events.MustPattern("asked")}, Kind: kind, Action: build[tasks.Outside](t, kind, test.with, Deps{}),
				Emit: []emission.Entry{{Type: typ}},
			}}},
		})
		if _, err := d.Emitter.Emit(context.Background(), &events.Event{Type: "asked", Source: "/test"}); err != nil {
			t.Fatal(err)
		}
		if e := <-emitted; !strings.Contains(string(e.Data), test.want) {
			t.Errorf("%s: %s", kind, e.Data)
		}
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	}
}
