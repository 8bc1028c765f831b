package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/taskstest"
)

// TestMoreRetriesThanTheClockHolds lets the first attempts of 12,000 events fail, each with a time before which it
// must not be tried again: more than the retry clock keeps in memory. Each is tried again exactly once, at its
// time (to the tick: nothing else takes time here), in the order of these times, whether it stayed in memory, went beyond the
// horizon and was read back, or was read at a start.
func TestMoreRetriesThanTheClockHolds(t *testing.T) {
	storetest.LongOnly(t) // 24,000 runs with two attempts each
	const n = 12_000
	for _, restart := range []bool{false, true} {
		t.Run(map[bool]string{false: "in-one-go", true: "over-a-restart"}[restart], func(t *testing.T) {
			file := path(t)
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				due := map[string]time.Time{}
				attempts := map[string]int{}
				var order []time.Time
				late := time.Duration(0)
				h := &tasks.Handler{
					Name: "later", On: on("a"), Kind: "test", Retry: tasks.Retry{Attempts: 2, Backoff: time.Nanosecond, Max: time.Nanosecond},
					Action: insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
						mu.Lock()
						defer mu.Unlock()
						now := time.Now()
						attempts[d.Event.ID]++
						if d.Attempt == 1 {
							wait := time.Minute + rand.N(10*time.Minute).Truncate(time.Second)
							due[d.Event.ID] = now.Add(wait)
							return nil, tasks.RetryAfter(wait, errors.New("not yet"))
						}
						if now.Before(due[d.Event.ID]) {
							t.Errorf("event %s was tried again %v too early", d.Event.ID, due[d.Event.ID].Sub(now))
						}
						late = max(late, now.Sub(due[d.Event.ID]))
						order = append(order, due[d.Event.ID])
						return func(store.Tx) (any, error) { return nil, nil }, nil
					}),
				}
				d := inBubble(t, file, h)
				var evs []*events.Event
				for i := range n {
					evs = append(evs, &events.Event{Type: "a", ID: fmt.Sprint(i), Source: "/test", Time: time.Now()})
				}
				for i := 0; i < n; i += 1000 {
					if _, err := d.emitter.Emit(t.Context(), evs[i:i+1000]...); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if len(due) != n {
					t.Fatalf("%d of %d events were tried once", len(due), n)
				}
				if restart {
					d.stop()
					d = inBubble(t, file, h)
				}
				<-time.After(12 * time.Minute)
				synctest.Wait()
				defer d.stop()
				for id := range due {
					if attempts[id] != 2 {
						t.Fatalf("event %s was tried %d times", id, attempts[id])
					}
				}
				for i := 1; i < len(order); i++ {
					if order[i].Before(order[i-1]) {
						t.Fatalf("number %d was due %v before the one that went first", i, order[i-1].Sub(order[i]))
					}
				}
				// A due time is stored in microseconds, so what is read back may come that much early or late.
				if late > time.Millisecond {
					t.Errorf("one was tried again %v after its time", late)
				}
				if pending := must(t, d.daemon, store.Retrying); len(pending) > 0 {
					t.Errorf("%d runs still wait", len(pending))
				}
			})
		})
	}
}

// TestAttemptThatIgnoresItsEndIsLeft stops a runner whose handler does not come back when its context ends. Run waits for
// the grace period and a last call, ends with an error that names the handler, and what the attempt does later changes
// nothing: its run stays in the store as running, and the next start counts the attempt as failed.
func TestAttemptThatIgnoresItsEndIsLeft(t *testing.T) {
	file := path(t)
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		calls := 0
		h := &tasks.Handler{Name: "deaf", On: on("a"), Kind: "test", Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
			if calls++; calls == 1 {
				<-release
			}
			return nil, nil
		})}
		d := inBubble(t, file, h)
		d.emit("a", "1")
		synctest.Wait()
		began := time.Now()
		d.stop()
		if err := d.ended; err == nil || err.Error() != "handler deaf: 1 of its attempts went on after the grace period; the next start counts them as failed" {
			t.Errorf("Run ended with %v", err)
		}
		if took := time.Since(began); took != 200*time.Millisecond+10*time.Second {
			t.Errorf("the stop took %v", took)
		}
		close(release)
		synctest.Wait()
		d = inBubble(t, file, h)
		<-time.After(time.Minute)
		synctest.Wait()
		defer d.stop()
		runs := must(t, d.daemon, store.Succeeded)
		if len(runs) != 1 || runs[0].Attempt != 2 || calls != 2 {
			t.Errorf("%+v after %d calls", runs, calls)
		}
	})
}

// bubble is a daemon whose time is synctest's.
type bubble struct {
	*daemon
	ended error // what the runner's Run returned
}

// inBubble is start for tests in a bubble: it keeps the runner's error.
func inBubble(t *testing.T, file string, handlers ...*tasks.Handler) *bubble {
	t.Helper()
	p := taskstest.Start(t, taskstest.Options{Path: file, Tasks: tasks.Options{Handlers: handlers, Grace: 200 * time.Millisecond}})
	b := &bubble{daemon: &daemon{t: t, store: p.Store, bus: p.Bus, commits: p.Commits, emitter: p.Emitter, runner: p.Runner}}
	b.stop = func() { b.ended = p.Stop() }
	return b
}
