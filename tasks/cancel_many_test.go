package tasks_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest"
	"evrun/tasks"
)

// Thousands of runs that wait for one key are cancelled one by one and as a selection. Then the last one runs.
func TestManyWaitingRunsAreCancelled(t *testing.T) {
	n := storetest.Size(t, "", 500, 10_000)
	action := newHolder()
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("x"), Action: action, OrderBy: constant(t, `"k"`)})
	first := d.emit("x", "first")
	<-action.begun
	for range n / 50 {
		emitSubjects(t, d, 50, 7)
	}
	last := d.emit("x", "last")
	begun := time.Now()
	for i := range n / 2 {
		d.cancel(&events.Event{Sequence: first.Sequence + 1 + int64(i)})
	}
	t.Logf("%d one by one: %v", n/2, time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	left := n - n/2
	head, err := d.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for cancelled := -1; cancelled != 0; {
		q := store.RunQuery{Handler: "h", States: []store.RunState{store.Waiting}, Limit: 500, Oldest: true, Before: last.Sequence}
		runs, err := d.runner.Cancel(context.Background(), store.Change{Query: q, By: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		cancelled = len(runs)
		left -= cancelled
	}
	t.Logf("%d as a selection: %v", n-n/2, time.Since(begun).Round(time.Millisecond))
	if left != 0 {
		t.Errorf("%d are left of those before the last, at #%d of #%d", left, last.Sequence, head)
	}
	action.release <- struct{}{}
	if id := <-action.begun; id != "last" {
		t.Error(fmt.Sprint(id, " has begun"))
	}
	action.release <- struct{}{}
	d.becomes(last, store.Succeeded)
}
