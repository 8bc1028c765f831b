package tasks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/batches"
	"evrun/tasks/control"
	"evrun/tasks/search"
)

// A dropped run is not handled again, though the handler's mark lies before it and evrun is killed.
func TestDroppedRunIsNotHandledAgain(t *testing.T) {
	p := path(t)
	begun, release := make(chan string, 10), make(chan struct{})
	defer close(release)
	handler := func() *tasks.Handler {
		return &tasks.Handler{Name: "h", On: on("a"), Action: outsideFunc(func(ctx context.Context, d *tasks.Delivery) (any, error) {
			begun <- d.Event.ID
			if d.Event.ID == "holds" {
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
			return nil, tasks.Permanent(errors.New("never"))
		})}
	}
	d := start(t, p, handler())
	d.emit("a", "holds") // the mark stays before it
	d.emit("a", "dropped")
	for range 2 {
		<-begun
	}
	dead := control.Runs{Store: d.store, Emitter: d.emitter, Do: d.runner}
	id := d.settled(1)[0].ID
	for range 2 {
		if _, err := dead.Drop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	d.kill()

	d = start(t, p, handler())
	d.emit("a", "last")
	seen := map[string]bool{}
	for !seen["last"] {
		seen[<-begun] = true
	}
	if seen["dropped"] {
		t.Error("the dropped run was handled again")
	}
	if r, err := d.store.FindRun(t.Context(), id); err != nil || r.State != store.Dropped || r.Reason == "" || r.Error != "never" {
		t.Errorf("run %+v, %v", r, err)
	}
}

// Runs of a handler that was removed from the wiring can be dropped, and stay dropped when the handler returns.
func TestRunsOfAHandlerThatIsGoneCanBeDropped(t *testing.T) {
	begun := make(chan int, 10)
	handler := func(version string) *tasks.Handler {
		return &tasks.Handler{Name: "h", Version: version, On: on("a"), Retry: tasks.Retry{Attempts: 9, Backoff: time.Hour, Max: time.Hour},
			Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
				begun <- d.Attempt
				return nil, tasks.RetryAfter(time.Hour, errors.New("not yet"))
			})}
	}
	d := start(t, path(t), handler("1"))
	d.emit("a", "1")
	<-begun
	for must(t, d, store.Retrying) == nil {
		wait(time.Millisecond)
	}
	id := must(t, d, store.Retrying)[0].ID
	dead := control.Runs{Store: d.store, Emitter: d.emitter, Do: d.runner}
	var notDead *control.StateError
	if _, err := dead.Drop(t.Context(), id); !errors.As(err, &notDead) {
		t.Errorf("a run that will be retried is dropped: %v", err)
	}
	if _, err := d.runner.Replace(t.Context(), nil, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	if n, err := d.batch("drop", search.Selection{Handler: "h"}); n != 0 || err != nil {
		t.Errorf("%d dropped, %v: it is not dead", n, err)
	}
	if n, err := d.batch("drop", search.Selection{Handler: "h", States: []string{"running", "retrying"}}); n != 1 || err != nil {
		t.Errorf("%d dropped, %v", n, err)
	}
	if _, err := d.runner.Replace(t.Context(), []*tasks.Handler{handler("2")}, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	d.emit("a", "2")
	if attempt := <-begun; attempt != 1 {
		t.Errorf("attempt %d", attempt)
	}
	if r, err := d.store.FindRun(t.Context(), id); err != nil || r.State != store.Dropped || r.Attempt != 1 {
		t.Errorf("run %+v, %v", r, err)
	}
}

// batch does an action on a selection, and returns how many runs it changed.
func (d *daemon) batch(action string, sel search.Selection) (int, error) {
	b := batches.New(batches.Options{Store: d.store, Emitter: d.emitter, Actions: batches.OfRuns(d.runner)})
	done, err := b.Run(context.Background(), batches.Request{Action: action, Selection: sel}, func(store.Batch) error { return nil })
	return done.Changed, err
}
