package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/search"
)

// Several people at a time retry runs that die again: each accepted retry leads to an attempt, and in the end no run is pending.
func TestNoRetryIsLostWhileRunsDieAgain(t *testing.T) {
	events, rounds := storetest.Size(t, "", 30, 100), storetest.Size(t, "", 60, 300)
	by, err := expression.Compile("event.subject", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	never := tasks.Permanent(errors.New("never"))
	outside := outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, never })
	inside := insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
		return tasks.Effect{Write: func(store.Tx) (any, error) { return nil, never }}, nil
	})
	for name, h := range map[string]*tasks.Handler{
		"outside":         {Action: outside, Concurrency: 8},
		"inside":          {Action: inside},
		"outside-ordered": {Action: outside, Concurrency: 8, OrderBy: by},
		"inside-ordered":  {Action: inside, OrderBy: by},
	} {
		t.Run(name, func(t *testing.T) {
			h.Name, h.On = "h", on("x")
			d := start(t, path(t), h)
			emitSubjects(t, d, events, 7)
			d.settled(events)
			var retried atomic.Int64
			var people sync.WaitGroup
			for range 3 {
				people.Go(func() {
					for range rounds / 3 {
						n, err := d.batch("retry", search.Selection{Handler: "h"})
						if err != nil {
							t.Error(err)
						}
						retried.Add(int64(n))
					}
				})
			}
			people.Wait()
			attempts := 0
			deadline := time.Now().Add(time.Minute)
			for over := 0; over < events; wait(time.Millisecond) {
				over, attempts = 0, 0
				runs, err := d.store.Runs(t.Context(), store.RunQuery{Handler: "h"})
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range runs {
					if r.State == store.Dead {
						over++
					}
					attempts += r.Attempt
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d of %d retried runs wait for ever", events-over, retried.Load())
				}
			}
			if want := events + int(retried.Load()); attempts != want {
				t.Errorf("%d attempts, want %d", attempts, want)
			}
		})
	}
}

// emitSubjects emits events of so many subjects in turn.
func emitSubjects(t *testing.T, d *daemon, n, subjects int) {
	t.Helper()
	var evs []*events.Event
	for i := range n {
		evs = append(evs, &events.Event{Type: "x", Source: "/test", Subject: fmt.Sprint(i % subjects)})
	}
	if _, err := d.emitter.Emit(t.Context(), evs...); err != nil {
		t.Fatal(err)
	}
}

// More dead runs of one key than the retry clock holds are retried at once: they run one after the other, the oldest first.
func TestManyRetriedRunsOfOneKeyRunInOrder(t *testing.T) {
	n := storetest.Size(t, "", 500, 5000) // 5000: beyond what the retry clock reads at once
	by, err := expression.Compile("event.subject", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	var mended atomic.Bool
	var mu sync.Mutex
	var order []int64
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("x"), OrderBy: by, Action: insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
		return tasks.Effect{Write: func(store.Tx) (any, error) {
			if !mended.Load() {
				return nil, tasks.Permanent(errors.New("never"))
			}
			mu.Lock()
			defer mu.Unlock()
			order = append(order, d.Event.Sequence)
			return nil, nil
		}}, nil
	})})
	emitSubjects(t, d, n, n) // first each has its own key, so that they die at the same time
	d.settled(n)
	same, err := expression.Compile(`"one"`, expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	h := *d.runner.Handlers()[0]
	h.Version, h.OrderBy = "2", same
	if _, err := d.runner.Replace(t.Context(), []*tasks.Handler{&h}, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	mended.Store(true)
	if got, err := d.batch("retry", search.Selection{Handler: "h"}); got != n || err != nil {
		t.Fatalf("%d retried, %v", got, err)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		counts, err := d.store.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c := counts["h"]; c.Retrying+c.Running == 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d still wait", c.Retrying)
		}
		wait(5 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(order) != n {
		t.Errorf("%d of %d ran", len(order), n)
	}
	for i := 1; i < len(order); i++ {
		if order[i] < order[i-1] {
			t.Fatalf("#%d ran before #%d", order[i-1], order[i])
		}
	}
}

// blockedReads is a store where reading one event alone does not return before its reader gives up.
type blockedReads struct {
	store.Store
	on      atomic.Bool
	entered chan struct{}
}

func (b *blockedReads) Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error) {
	if b.on.Load() && q.Before == q.After+2 {
		b.entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return b.Store.Events(ctx, q)
}

// An event that must be read from the store while evrun stops is handled after the next start: the mark does not pass it.
func TestAnEventWhoseTurnComesAtAStopIsNotLost(t *testing.T) {
	by, err := expression.Compile("event.subject", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	p := path(t)
	begun, release := make(chan int64, 10), make(chan struct{})
	handler := func() *tasks.Handler {
		return &tasks.Handler{Name: "h", On: on("x"), OrderBy: by, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			begun <- d.Event.Sequence
			<-release
			return nil, nil
		})}
	}
	blocked := &blockedReads{entered: make(chan struct{}, 10)}
	d := startOn(t, p, sqlite.Options{}, func(s store.Store) store.Store {
		blocked.Store = s
		return blocked
	}, handler())
	large := fmt.Appendf(nil, `"%05000d"`, 0) // too large to be kept while it waits
	if _, err := d.emitter.Emit(t.Context(), &events.Event{Type: "x", Source: "/test", Subject: "k"}, &events.Event{Type: "x", Source: "/test", Subject: "k", Data: large}); err != nil {
		t.Fatal(err)
	}
	<-begun
	blocked.on.Store(true)
	close(release)
	<-blocked.entered // the first has ended, and the second is being read
	d.stop()
	d = start(t, p, handler())
	runs := d.settled(2)
	if len(runs) != 2 || runs[1].State != store.Succeeded {
		t.Errorf("runs %+v", runs)
	}
}
