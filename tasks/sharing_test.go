package tasks_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/measure"
	"evrun/tasks/taskstest"
)

// sharing is a runner on a shared store.
type sharing struct {
	s      *sharer
	bus    *events.Bus
	feed   chan []*events.Event
	runner *tasks.Runner
	stop   func()
}

func doneBy(t testing.TB, name string) []emission.Entry {
	typ, err := expression.CompileTemplate("done."+name, expression.HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	return []emission.Entry{{Type: typ}}
}

// Two runners share a store. Their slots move at random, while events come in, attempts fail, runners are stopped, and nodes lose their leases. Each event
// has exactly one effect of each handler, keys keep their order, and nothing is lost.
func TestRunnersShareAStore(t *testing.T) {
	for seed := range storetest.Size(t, "EVRUN_SHARING", 2, 5) {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) { share(t, uint64(seed)) })
	}
}

func share(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 11))
	by, err := expression.Compile("event.subject", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	var attempts, lost, counted atomic.Int64
	chance := func(n int) bool { return rand.IntN(n) == 0 } // by any goroutine
	outside := outsideFunc(func(ctx context.Context, _ *tasks.Delivery) (any, error) {
		attempts.Add(1)
		if chance(3) {
			select {
			case <-time.After(3 * time.Millisecond):
			case <-ctx.Done():
				lost.Add(1)
				return nil, ctx.Err()
			}
		}
		if chance(20) {
			return nil, fmt.Errorf("no luck")
		}
		return nil, nil
	})
	inside := insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
		if chance(20) {
			return tasks.Effect{}, fmt.Errorf("no luck")
		}
		return tasks.Effect{Write: func(store.Tx) (any, error) { return nil, nil }}, nil
	})
	retry := tasks.Retry{Attempts: 1 << 20, Backoff: time.Nanosecond, Max: time.Nanosecond}
	wiring := func() []*tasks.Handler {
		return []*tasks.Handler{
			{Name: "inside", On: on("x"), Action: inside, Retry: retry, Emit: doneBy(t, "inside")},
			{Name: "inside-ordered", On: on("x"), Action: inside, OrderBy: by, Retry: retry, Emit: doneBy(t, "inside-ordered")},
			{Name: "outside", On: on("x"), Action: outside, Retry: retry, Emit: doneBy(t, "outside")},
			{Name: "ordered", On: on("x"), Action: outside, OrderBy: by, Concurrency: 8, Retry: retry, Emit: doneBy(t, "ordered")},
			{Name: "one", On: on("x"), Action: outside, Concurrency: 1, Retry: retry, Emit: doneBy(t, "one")},
			{Name: "burst", On: on("x"), Action: outside, Retry: retry, Debounce: &tasks.Debounce{Wait: time.Millisecond, By: by, All: true}, Emit: doneBy(t, "burst")},
		}
	}
	var nodes [2]atomic.Pointer[sharing]
	s, closeStore := taskstest.OpenStore(t, filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{Options: store.Options{OnCommit: func(c store.Commit) {
		for i := range nodes {
			if n := nodes[i].Load(); n != nil && len(c.Events) > 0 {
				n.feed <- c.Events
			}
		}
	}}})
	defer closeStore()
	b := &broker{t: t, s: s, handlers: map[store.HandlerID]*brokered{}}
	start := func(i int) {
		n := &sharing{s: b.share(), bus: events.NewBus(), feed: make(chan []*events.Event, 1<<16)}
		nodes[i].Store(n)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		fed := make(chan struct{})
		wg.Go(func() {
			for {
				select {
				case evs := <-n.feed:
					if chance(4) {
						time.Sleep(time.Millisecond) // it hears of it later than others
					}
					n.bus.Publish(evs)
				case <-fed:
					return
				}
			}
		})
		n.runner = tasks.NewRunner(tasks.Options{Store: n.s, Bus: n.bus, Emitter: emitter.New(n.s, 0), Handlers: wiring(), Log: slog.New(slog.DiscardHandler)})
		wg.Go(func() {
			if err := n.runner.Run(ctx); err != nil {
				t.Errorf("runner: %v", err)
			}
		})
		n.stop = sync.OnceFunc(func() {
			stop()
			<-n.runner.Ready()
			nodes[i].CompareAndSwap(n, nil)
			time.AfterFunc(10*time.Millisecond, func() { close(fed) })
			wg.Wait()
			n.bus.Close()
			n.runner.EachMeasured(func(_ string, h *measure.Handler) { counted.Add(h.Lost.Load()) })
		})
		<-n.runner.Ready()
	}
	for i := range nodes {
		start(i)
	}
	em := emitter.New(s, 0)
	total := 0
	steps := 400
	if storetest.Long() {
		steps = 2000
	}
	for range steps {
		var evs []*events.Event
		for range 1 + rnd.IntN(5) {
			total++
			evs = append(evs, &events.Event{Type: "x", Source: "/test", Subject: string(rune('a' + rnd.IntN(20))), Data: []byte("{}")})
		}
		if _, err := em.Emit(t.Context(), evs...); err != nil {
			t.Fatal(err)
		}
		what, i := rnd.IntN(100), rnd.IntN(2)
		b.move(rnd)
		switch {
		case what < 3:
			b.lose(nodes[i].Load().s)
		case what < 5:
			nodes[i].Load().stop()
			start(i)
		case what < 60:
			time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		}
	}
	// From now on nothing moves: all that is free is given out.
	names := []string{"inside", "inside-ordered", "outside", "ordered", "one"}
	subjects := map[int64]string{}
	list, err := store.AllEvents(t.Context(), s, store.EventQuery{Patterns: on("x")})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		subjects[e.Sequence] = e.Subject
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		b.mu.Lock()
		for _, h := range b.handlers {
			for slot := range h.holder {
				if len(h.leases) > 0 {
					b.grant(h.leases[slot%len(h.leases)], 1<<slot)
				}
			}
		}
		b.mu.Unlock()
		missing := 0
		for _, name := range names {
			evs, err := store.AllEvents(t.Context(), s, store.EventQuery{Patterns: on("done." + name)})
			if err != nil {
				t.Fatal(err)
			}
			missing += max(0, total-len(evs))
		}
		known, err := s.Handlers(t.Context(), "burst")
		if err != nil {
			t.Fatal(err)
		}
		n, _, err := s.CountWaiting(t.Context(), known[0], list[len(list)-1].Sequence)
		if err != nil {
			t.Fatal(err)
		}
		if missing += int(n); missing == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("%d effects are missing", missing)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	for i := range nodes {
		nodes[i].Load().stop()
	}
	for _, name := range names {
		evs, err := store.AllEvents(t.Context(), s, store.EventQuery{Patterns: on("done." + name)})
		if err != nil {
			t.Fatal(err)
		}
		of, last := map[int64]int{}, map[string]int64{}
		for _, e := range evs {
			of[e.Cause]++
			if subject := subjects[e.Cause]; name == "ordered" || name == "inside-ordered" {
				if last[subject] > e.Cause {
					t.Errorf("%s: #%d of %s ended after #%d", name, e.Cause, subject, last[subject])
				}
				last[subject] = e.Cause
			}
		}
		for seq := range subjects {
			if of[seq] != 1 {
				runs, _ := s.Runs(t.Context(), store.RunQuery{Sequence: seq, Handler: name})
				t.Errorf("%s: #%d has %d effects: %+v", name, seq, of[seq], runs)
			}
		}
	}
	b.check(t, subjects)
	if lost.Load() > 0 && counted.Load() == 0 {
		t.Errorf("%d attempts were lost, and no slots", lost.Load())
	}
	t.Logf("%d events, %d moves, %d nodes, %d attempts outside, %d of them lost", total, b.moves, b.nodes, attempts.Load(), lost.Load())
}
