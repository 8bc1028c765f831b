package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/storetest"
	"evrun/tasks"
)

// An attempt that began under the old name and succeeds while the new handler waits is not repeated, for inside and outside handlers and any order of
// the names.
func TestRenamingUnderLoadLosesAndRepeatsNothing(t *testing.T) {
	total, renames := storetest.Size(t, "", 800, 4000), storetest.Size(t, "", 8, 30)
	c := newTally()
	name := func(kind string, n int) string { return fmt.Sprintf("%s-%d", kind, n) }
	var failing atomic.Int64
	wiring := func(n int) []*tasks.Handler {
		retry := tasks.Retry{Attempts: 5, Backoff: time.Millisecond, Max: 5 * time.Millisecond}
		out := &tasks.Handler{Name: name("out", n), Version: fmt.Sprint(n), On: on("load.x"), Retry: retry, Concurrency: 8,
			Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
				if failing.Add(1)%17 == 0 {
					return nil, errors.New("now and then it fails")
				}
				return nil, c.count(d)
			})}
		in := &tasks.Handler{Name: name("in", n), Version: fmt.Sprint(n), On: on("load.x"), Retry: retry, Action: saveUser}
		if n > 0 {
			out.Was, in.Was = name("out", n-1), name("in", n-1)
		}
		return []*tasks.Handler{out, in}
	}
	d := start(t, path(t), wiring(0)...)
	var senders sync.WaitGroup
	for s := range 4 {
		senders.Go(func() {
			for i := range total / 4 {
				d.emit("load.x", fmt.Sprintf("%d-%d", s, i))
			}
		})
	}
	for n := range renames {
		d.replace(wiring(n + 1)...)
		wait(time.Duration(n%10) * time.Millisecond)
	}
	senders.Wait()
	runs := d.settled(2 * total)
	if n := slices.IndexFunc(runs, func(r store.Run) bool { return r.State != store.Succeeded }); n >= 0 {
		t.Errorf("run %+v", runs[n])
	}
	for id, n := range c.times {
		if n != 1 {
			t.Errorf("%s was delivered %d times", id, n)
		}
	}
	if len(c.times) != total || users(t, d) != int64(total) || len(runs) != 2*total {
		t.Errorf("%d delivered, %d users, %d runs of %d events", len(c.times), users(t, d), len(runs), total)
	}
}
