package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
)

// A retry that is due gets the next free slot, although attempts that are claimed wait for it, too.
func TestARetryPassesClaims(t *testing.T) {
	g := newLatch()
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Concurrency: 1, Retry: tasks.Retry{Attempts: 2, Backoff: 1, Max: 1}, Action: g})
	for i := range 10 {
		d.emit("a", fmt.Sprint(i))
	}
	d.claimed(2)
	if first := <-g.begun; first.Event.Sequence != 1 {
		t.Fatal(first)
	}
	g.end <- errors.New("try again")
	var order []string
	for len(order) < 10 {
		e := <-g.begun
		order = append(order, fmt.Sprint(e.Event.Sequence, "/", e.Attempt))
		if len(order) == 1 { // the retry is recorded as retrying before the next event begins to wait
			for len(must(t, d, store.Retrying)) == 0 {
				wait(time.Millisecond)
			}
		}
		g.end <- nil
	}
	if at := slices.Index(order, "1/2"); at < 0 || at > 4 {
		t.Errorf("the order was %v", order)
	}
	close(g.end)
	d.settled(10)
}

// A retry began when it got a slot, not when it began to wait for one.
func TestARetrySaysWhenItBegan(t *testing.T) {
	g := newLatch()
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Concurrency: 1, Retry: tasks.Retry{Attempts: 2, Backoff: 1, Max: 1}, Action: g})
	d.emit("a", "1")
	d.emit("a", "2")
	d.claimed(2)
	<-g.begun
	g.end <- errors.New("try again")
	second := <-g.begun
	for len(must(t, d, store.Retrying)) == 0 {
		wait(time.Millisecond)
	}
	wait(50 * time.Millisecond) // the retry is due, and waits in line
	released := time.Now()
	g.end <- nil
	retry := <-g.begun
	if second.Event.Sequence != 2 || retry.Attempt != 2 {
		t.Fatal(second, retry)
	}
	g.end <- nil
	if r := d.settled(2)[0]; r.StartedAt.Before(released.Truncate(time.Microsecond)) {
		t.Errorf("the retry began %v before it could: %+v", released.Sub(r.StartedAt), r)
	}
}

// The retries of large events that wait for a slot are bounded, too.
func TestWaitingRetriesAreBoundedInBytes(t *testing.T) {
	const n = 48
	w, g := &watched{}, newLatch()
	d := startOn(t, path(t), sqlite.Options{}, func(s store.Store) store.Store { w.Store = s; return w },
		&tasks.Handler{Name: "h", On: on("x"), Concurrency: 16, Retry: tasks.Retry{Attempts: 2, Backoff: time.Second, Max: time.Second}, Action: outsideFunc(func(ctx context.Context, d *tasks.Delivery) (any, error) {
			if d.Attempt == 1 {
				return nil, errors.New("try again")
			}
			return g.Do(ctx, d)
		})})
	data := []byte(`"` + strings.Repeat("x", 500_000) + `"`)
	for range n {
		if _, err := d.emitter.Emit(t.Context(), &events.Event{Type: "x", Source: "/test", Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	for range 16 {
		<-g.begun
	}
	wait(time.Second) // all others are due, too
	if read := w.fetched.Load(); read > 16+10 {
		t.Errorf("%d events of retries are in memory, and 16 run", read)
	}
	close(g.end)
	d.settled(n)
}
