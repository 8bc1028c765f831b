package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/control"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
)

// holder is an action whose attempts report that they have begun, and end with their context or when they are released.
type holder struct {
	begun   chan string
	release chan struct{} // a value ends one attempt with success
	deaf    bool          // only release ends an attempt
}

func newHolder() *holder {
	return &holder{begun: make(chan string, 1000), release: make(chan struct{})}
}

func (h *holder) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	h.begun <- d.Event.ID
	ended := ctx.Done()
	if h.deaf {
		ended = nil
	}
	select {
	case <-h.release:
		return nil, nil
	case <-ended:
		return nil, context.Cause(ctx)
	}
}

func (d *daemon) changes() control.Runs {
	return control.Runs{Store: d.store, Emitter: d.emitter, Do: d.runner}
}

// cancel cancels the run of a handler h on an event.
func (d *daemon) cancel(e *events.Event) store.Run {
	d.t.Helper()
	run, err := d.changes().Cancel(context.Background(), d.idOf(e), "a typo")
	if err != nil {
		d.t.Fatal(err)
	}
	return run
}

func (d *daemon) idOf(e *events.Event) string { return store.RunID(e.Sequence, "h", d.store.ID()) }

// becomes waits until the run of h on an event is in one of these states.
func (d *daemon) becomes(e *events.Event, states ...store.RunState) store.Run {
	d.t.Helper()
	for deadline := time.Now().Add(hang); ; wait(time.Millisecond) {
		run, err := control.Find(context.Background(), d.store, d.idOf(e))
		if err != nil || time.Now().After(deadline) {
			d.t.Fatalf("run %+v, %v; want it to become %v", run, err, states)
		}
		if slices.Contains(states, run.State) {
			return run
		}
	}
}

// A running attempt is ended with who cancelled it as the cause. Its run is over: no retry, no notice. The next event has its place.
func TestACancelledAttemptIsEnded(t *testing.T) {
	action := newHolder()
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: action, Concurrency: 1})
	first, second := d.emit("a", "1"), d.emit("a", "2")
	<-action.begun
	if run := d.cancel(first); !run.Cancelling || run.State != store.Running {
		t.Errorf("run %+v", run)
	}
	run := d.becomes(first, store.Cancelled)
	if !strings.HasPrefix(run.Reason, "cancelled by ") || !strings.HasSuffix(run.Reason, ": a typo") || run.Attempt != 1 || run.Error != "" {
		t.Errorf("run %+v", run)
	}
	attempts, err := d.store.Attempts(t.Context(), store.AttemptQuery{Run: run.ID})
	if err != nil || len(attempts) != 1 || attempts[0].Error != run.Reason || attempts[0].State != store.Cancelled {
		t.Errorf("attempts %+v, %v", attempts, err)
	}
	if id := <-action.begun; id != "2" {
		t.Errorf("%s has begun", id)
	}
	action.release <- struct{}{}
	d.becomes(second, store.Succeeded)
	evs, err := d.store.Events(t.Context(), store.EventQuery{Patterns: on("evrun.>")})
	if err != nil || len(evs) != 1 || evs[0].Type != events.TypeAuditRunCancelled {
		t.Errorf("events %+v, %v", evs, err)
	}
	if run := d.cancel(first); run.State != store.Cancelled {
		t.Errorf("cancelled again: %+v", run)
	}
	if _, err := d.changes().Cancel(t.Context(), d.idOf(second), ""); err == nil || !strings.Contains(err.Error(), "nothing is left to cancel") {
		t.Errorf("%v", err)
	}
}

// What waits for a place ends at once, though the attempt before it goes on: claimed ahead, for its key, in a burst.
func TestAWaitingRunIsCancelledAtOnce(t *testing.T) {
	for name, h := range map[string]*tasks.Handler{
		"ahead":    {Concurrency: 1},
		"ordered":  {OrderBy: constant(t, `"k"`)},
		"debounce": {Concurrency: 1, Debounce: &tasks.Debounce{Wait: time.Millisecond, By: constant(t, "event.id")}},
	} {
		t.Run(name, func(t *testing.T) {
			action := newHolder()
			h.Name, h.On, h.Action = "h", on("a"), action
			d := start(t, path(t), h)
			first := d.emit("a", "1")
			<-action.begun
			var waiting []*events.Event
			for i := range 5 {
				waiting = append(waiting, d.emit("a", fmt.Sprint(i+2)))
			}
			for _, e := range waiting[1:] {
				d.cancel(e)
				if run := d.becomes(e, store.Cancelled); run.Attempt != 0 || !run.StartedAt.IsZero() {
					t.Errorf("run %+v", run)
				}
			}
			action.release <- struct{}{}
			d.becomes(first, store.Succeeded)
			if id := <-action.begun; id != "2" {
				t.Errorf("%s has begun", id)
			}
			action.release <- struct{}{}
			d.becomes(waiting[0], store.Succeeded)
			// A retry by hand gives it its first attempt.
			if _, err := d.changes().Retry(t.Context(), d.idOf(waiting[2])); err != nil {
				t.Fatal(err)
			}
			if id := <-action.begun; id != "4" {
				t.Errorf("%s has begun", id)
			}
			action.release <- struct{}{}
			if run := d.becomes(waiting[2], store.Succeeded); run.Attempt != 1 || run.Reason != "" {
				t.Errorf("run %+v", run)
			}
		})
	}
}

func constant(t *testing.T, text string) *expression.Expr {
	t.Helper()
	e, err := expression.Compile(text, expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A run that waits for a retry holds up its key no longer when it is cancelled, and can be retried at once.
func TestTheNextOfAKeyGoesOnAfterACancel(t *testing.T) {
	begun := make(chan string, 10)
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), OrderBy: constant(t, `"k"`), Retry: tasks.Retry{Attempts: 9},
		Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			begun <- fmt.Sprint(d.Event.ID, " ", d.Attempt)
			if d.Event.ID == "1" && d.Attempt < 3 {
				return nil, tasks.RetryAfter(time.Hour, errors.New("not yet"))
			}
			return nil, nil
		})})
	want := func(attempt string) {
		t.Helper()
		if got := <-begun; got != attempt {
			t.Errorf("%s, want %s", got, attempt)
		}
	}
	first, second := d.emit("a", "1"), d.emit("a", "2")
	want("1 1")
	d.becomes(first, store.Retrying)
	run, err := d.changes().Retry(t.Context(), d.idOf(first)) // now, not in an hour
	if err != nil || run.Budget != 0 {
		t.Errorf("run %+v, %v", run, err)
	}
	want("1 2")
	for run := (store.Run{}); run.State != store.Retrying || run.Attempt != 2; wait(time.Millisecond) {
		if run, err = d.store.FindRun(t.Context(), d.idOf(first)); err != nil {
			t.Fatal(err)
		}
	}
	d.cancel(first)
	want("2 1")
	d.becomes(second, store.Succeeded)
	if run, err = d.changes().Retry(t.Context(), run.ID); err != nil || run.Budget != 2 {
		t.Errorf("run %+v, %v", run, err)
	}
	want("1 3")
	d.becomes(first, store.Succeeded)
}

// A cancelled run whose attempt succeeds all the same has succeeded, and says so.
func TestAnAttemptThatSucceedsIsNotCancelled(t *testing.T) {
	action := newHolder()
	action.deaf = true
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: action})
	e := d.emit("a", "1")
	<-action.begun
	if run := d.cancel(e); !run.Cancelling {
		t.Errorf("run %+v", run)
	}
	action.release <- struct{}{}
	if run := d.becomes(e, store.Succeeded); !strings.HasPrefix(run.Reason, "it had succeeded before it could be cancelled by ") {
		t.Errorf("run %+v", run)
	}
}

// A kill while a cancelled attempt is ending loses nothing: after the next start the run is cancelled, and does not run again.
func TestACancelSurvivesAKill(t *testing.T) {
	p := path(t)
	action := newHolder()
	action.deaf = true
	d := start(t, p, &tasks.Handler{Name: "h", On: on("a"), Action: action, Concurrency: 1})
	first := d.emit("a", "1")
	d.emit("a", "2")
	<-action.begun
	d.cancel(first)
	time.AfterFunc(time.Millisecond, func() { close(action.release) })
	d.kill()
	again := newHolder()
	d = start(t, p, &tasks.Handler{Name: "h", On: on("a"), Action: again, Concurrency: 1})
	run := d.becomes(first, store.Cancelled, store.Succeeded) // the attempt may have been faster than the kill
	if run.State == store.Cancelled && !strings.HasSuffix(run.Reason, ": a typo") {
		t.Errorf("run %+v", run)
	}
	if run.State == store.Cancelled {
		if id := <-again.begun; id == "1" {
			t.Error("a cancelled run runs again")
		}
	}
}

// People cancel and retry at random while events are handled: in the end each run is over, no event is lost, and none succeeds twice.
func TestRandomCancels(t *testing.T) {
	n := storetest.Size(t, "", 300, 3000)
	failing := func() error {
		if rand.IntN(3) == 0 {
			return errors.New("again")
		}
		return nil
	}
	outside := outsideFunc(func(ctx context.Context, _ *tasks.Delivery) (any, error) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, failing()
	})
	inside := insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
		return tasks.Effect{Write: func(store.Tx) (any, error) { return nil, failing() }}, nil
	})
	by := constant(t, "event.subject")
	done, err := expression.CompileTemplate("done", expression.HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]*tasks.Handler{
		"outside":         {Action: outside, Concurrency: 4},
		"inside":          {Action: inside},
		"outside-ordered": {Action: outside, Concurrency: 4, OrderBy: by},
		"inside-ordered":  {Action: inside, OrderBy: by},
		"debounce":        {Action: outside, Concurrency: 2, Debounce: &tasks.Debounce{Wait: time.Millisecond, By: by}},
	} {
		t.Run(name, func(t *testing.T) {
			h.Name, h.On = "h", on("x")
			h.Retry = tasks.Retry{Attempts: 100, Backoff: time.Millisecond, Max: 2 * time.Millisecond}
			h.Emit = []emission.Entry{{Type: done}}
			d := start(t, path(t), h)
			var people sync.WaitGroup
			for range 3 {
				people.Go(func() {
					for range n {
						id := store.RunID(1+rand.Int64N(int64(n)), "h", d.store.ID())
						var refused *control.StateError
						var err error
						if rand.IntN(3) > 0 {
							_, err = d.changes().Cancel(context.Background(), id, "")
						} else {
							_, err = d.changes().Retry(context.Background(), id)
						}
						if err != nil && !errors.As(err, &refused) && !errors.Is(err, store.ErrNotFound) {
							t.Error(err)
						}
					}
				})
			}
			for range n / 10 {
				emitSubjects(t, d, 10, 7)
			}
			people.Wait()
			d.emit("x", "last")
			q := store.RunQuery{Handler: "h", Limit: 100_000}
			deadline := time.Now().Add(hang)
			for over := false; !over; wait(time.Millisecond) {
				all, err := d.store.Runs(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if over = len(all) == n+1 && !slices.ContainsFunc(all, func(r store.Run) bool { return !r.State.Ended() }); time.Now().After(deadline) {
					t.Fatalf("%d runs, not all are over", len(all))
				}
			}
			q.State = store.Succeeded
			succeeded, err := d.store.Runs(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			done, err := d.store.Events(t.Context(), store.EventQuery{Patterns: on("done"), Limit: 100_000})
			if err != nil || len(done) != len(succeeded) {
				t.Errorf("%d events of %d successes, %v", len(done), len(succeeded), err)
			}
		})
	}
}
