package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
)

// refusing is a store that refuses every batch with a settlement of a certain event, unless that settlement makes the run dead. It blocks the first
// batch until the test releases it.
type refusing struct {
	store.Store
	bad     string
	refused atomic.Int64 // the most settlements that a refused batch had
	goOn    chan struct{}
}

func (r *refusing) Settle(ctx context.Context, b store.SettleBatch) ([]store.Settled, error) {
	if len(b.Settlements) > 0 {
		<-r.goOn
	}
	if slices.ContainsFunc(b.Settlements, func(s store.Settlement) bool { return s.Event.ID == r.bad && s.Outcome.State != store.Dead }) {
		r.refused.Store(max(r.refused.Load(), int64(len(b.Settlements))))
		return nil, errors.New("the store takes all but this one")
	}
	return r.Store.Settle(ctx, b)
}

// A result that the store refuses makes only its own run dead, not the others of its batch.
func TestAResultThatCannotBeStoredHarmsNoOtherRun(t *testing.T) {
	const n = 50
	var prepared atomic.Int64
	r := &refusing{bad: "25", goOn: make(chan struct{})}
	d := startOn(t, path(t), sqlite.Options{}, func(s store.Store) store.Store {
		r.Store = s
		return r
	}, &tasks.Handler{Name: "h", On: on("a"), Action: insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
		prepared.Add(1)
		return saveUser(d)
	})})
	for i := range n {
		d.emit("a", fmt.Sprint(i))
	}
	for prepared.Load() < n { // while the store is busy, they gather in one batch
		wait(time.Millisecond)
	}
	close(r.goOn)
	for _, run := range d.settled(n) {
		want := store.Succeeded
		if run.EventID == r.bad {
			want = store.Dead
		}
		if run.State != want || run.Attempt != 1 || (want == store.Dead) != strings.Contains(run.Error, "its result can't be stored") {
			t.Errorf("run %+v", run)
		}
	}
	if got := users(t, d); got != n-1 {
		t.Errorf("%d users", got)
	}
	if r.refused.Load() < 2 {
		t.Errorf("the refused batch had %d settlements: the test shows nothing", r.refused.Load())
	}
}

// A server may answer with megabytes: the beginning of such an error is stored, and the run is dead for its own reason.
func TestALongErrorIsKeptAsFarAsThereIsRoom(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Retry: tasks.Retry{Attempts: 1}, Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
		return nil, errors.New("the server said " + strings.Repeat("é", 20<<20))
	})})
	d.emit("a", "1")
	run := d.settled(1)[0]
	if run.State != store.Dead || len(run.Error) > 64<<10 || !strings.HasPrefix(run.Error, "the server said éé") || !strings.HasSuffix(run.Error, "é…") {
		t.Errorf("%v with an error of %d bytes: %.60s", run.State, len(run.Error), run.Error)
	}
}

// Runs that failed at the same time are not retried at the same time: the delays are spread over the second half of the backoff.
func TestRetriesOfRunsThatFailTogetherSpread(t *testing.T) {
	const n = 400
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Retry: tasks.Retry{Attempts: 1000, Backoff: 4 * time.Hour, Max: 4 * time.Hour},
		Action: insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
			return tasks.Effect{}, errors.New("the other side is down")
		})})
	evs := make([]*events.Event, n)
	for i := range evs {
		evs[i] = &events.Event{Type: "a", Source: "/test"}
	}
	began := time.Now()
	if _, err := d.emitter.Emit(t.Context(), evs...); err != nil {
		t.Fatal(err)
	}
	for len(must(t, d, store.Retrying)) < n {
		wait(time.Millisecond)
	}
	var halves [8]int // of an hour
	for _, run := range must(t, d, store.Retrying) {
		halves[min(7, int(run.NextAttemptAt.Sub(began)/(30*time.Minute)))]++
	}
	for i, count := range halves { // from the fifth on 100 is the mean; fewer than 50 come once in 10 million times
		if i < 4 && count > 0 || i >= 4 && count < 50 {
			t.Errorf("%d of %d retries in half hour %d: %v", count, n, i+1, halves)
		}
	}
}
