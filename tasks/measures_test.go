package tasks_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/meter"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/taskstest"
)

// What a handler counts for the metrics is what it did, and what waits for it; also for what was accepted before the start, and while it is paused.
func TestMeasures(t *testing.T) {
	clock := &meter.Clock{}
	file := path(t)
	hold := make(chan struct{})
	blocked := &tasks.Handler{Name: "blocked", On: on("a"), Concurrency: 1, Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
		<-hold
		return nil, nil
	})}
	quick := &tasks.Handler{Name: "quick", On: on("a", "b"), Action: nothing{}}
	begin := func(handlers ...*tasks.Handler) *taskstest.Daemon {
		return taskstest.Start(t, taskstest.Options{Path: file, Tasks: tasks.Options{Handlers: handlers, Accepted: clock}, Store: sqlite.Options{Options: store.Options{
			OnCommit: func(c store.Commit) {
				if n := len(c.Events); n > 0 {
					clock.Note(c.Events[0].Sequence, c.Events[n-1].Sequence, time.Now())
				}
			}}}})
	}
	d := begin(blocked, quick)
	emit := func(typ string, n int) {
		t.Helper()
		for i := range n {
			if _, err := d.Emitter.Emit(t.Context(), &events.Event{Type: typ, ID: fmt.Sprintf("%s%d-%d", typ, i, time.Now().UnixNano())}); err != nil {
				t.Fatal(err)
			}
		}
	}
	until := func(what string, ok func(map[string]tasks.Measures) bool) {
		t.Helper()
		for deadline := time.Now().Add(hang); ; {
			all := map[string]tasks.Measures{}
			for _, m := range d.Runner.Measures(t.Context()) {
				all[m.Name] = m
			}
			if ok(all) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: blocked %+v, quick %+v", what, all["blocked"], all["quick"])
			}
			wait(time.Millisecond)
		}
	}
	emit("a", 10)
	emit("b", 5)
	until("while one is blocked", func(all map[string]tasks.Measures) bool {
		b, q := all["blocked"], all["quick"]
		waits, _, _ := q.Waits.Read()
		return b.Waiting == 9 && b.Running == 1 && !b.Since.IsZero() && q.Waiting == 0 && q.Since.IsZero() && q.Ended[store.Succeeded].Load() == 15 && waits == 15
	})
	if _, _, err := d.Runner.Pause(t.Context(), "quick", ""); err != nil {
		t.Fatal(err)
	}
	emit("c", 3)
	emit("b", 2)
	until("while one is paused", func(all map[string]tasks.Measures) bool {
		return all["quick"].Paused && all["quick"].Waiting == 2 && !all["quick"].Since.IsZero()
	})
	close(hold)
	until("once it goes on", func(all map[string]tasks.Measures) bool {
		took, _, _ := all["blocked"].Attempts.Read()
		return all["blocked"].Waiting == 0 && all["blocked"].Ended[store.Succeeded].Load() == 10 && took == 10
	})
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}

	*clock = meter.Clock{}
	d = begin(quick)
	emit("b", 4)
	until("of before the start, and since", func(all map[string]tasks.Measures) bool {
		q := all["quick"]
		return q.Paused && q.Waiting == 6 && !q.Since.IsZero() && q.Ended[store.Succeeded].Load() == 0
	})
	if _, err := d.Runner.Resume(t.Context(), "quick", false); err != nil {
		t.Fatal(err)
	}
	until("once it is resumed", func(all map[string]tasks.Measures) bool {
		return all["quick"].Waiting == 0 && all["quick"].Ended[store.Succeeded].Load() == 6
	})
}
