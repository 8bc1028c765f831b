package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// latch is an outside action that waits: it says which event it has, and goes on when the test says so.
type latch struct {
	begun chan *tasks.Delivery
	end   chan error // closed: all end without an error
}

func newLatch() *latch { return &latch{begun: make(chan *tasks.Delivery, 1000), end: make(chan error)} }

func (g *latch) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	g.begun <- d
	select {
	case err := <-g.end:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// claimed waits until n runs are recorded, and returns them, oldest first.
func (d *daemon) claimed(n int) []store.Run {
	d.t.Helper()
	for deadline := time.Now().Add(hang); ; wait(time.Millisecond) {
		runs, err := d.store.Runs(context.Background(), store.RunQuery{Oldest: true, State: store.Running})
		if err != nil {
			d.t.Fatal(err)
		}
		if len(runs) == n {
			return runs
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%d runs are recorded, want %d", len(runs), n)
		}
	}
}

// While attempts run, as many more are recorded. They are not shown as running, and what the row of each says in the end is when it began.
func TestClaimsAreMadeAhead(t *testing.T) {
	g := newLatch()
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Concurrency: 2, Action: g})
	for i := range 6 {
		d.emit("a", fmt.Sprint(i))
	}
	var ahead []int64
	for _, r := range d.claimed(4) {
		if r.Budget > 0 {
			ahead = append(ahead, r.Sequence)
			if r.Reason != "claimed; its attempt may not have begun" {
				t.Errorf("%+v", r)
			}
		}
	}
	<-g.begun
	<-g.begun
	if running := d.runner.InFlight(t.Context()); len(running) != 2 || len(ahead) == 0 {
		t.Errorf("%v are claimed ahead, and running are %v", ahead, running)
	}
	for deadline := time.Now().Add(hang); ; wait(time.Millisecond) { // the worker learns of a claim after the store
		list, err := d.runner.HandlerStatuses(t.Context())
		if err == nil && list[0].Running == 2 && *list[0].Waiting == 4 {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v waiting, %v", list[0], *list[0].Waiting, err)
		}
	}
	wait(2 * time.Millisecond)
	released := time.Now().Truncate(time.Microsecond) // as in the store
	close(g.end)
	for i, r := range d.settled(6) {
		if r.State != store.Succeeded || r.Budget != 0 || r.Attempt != 1 || r.Reason != "" {
			t.Errorf("%+v", r)
		}
		if begun := !r.StartedAt.Before(released); begun != (i >= 2) {
			t.Errorf("run %d says that it began at %v, and the first ended at %v", i+1, r.StartedAt, released)
		}
	}
}

// A stop withdraws the claims whose attempts have not begun: the next start makes their first attempt, and nothing is left of the claim.
func TestAStopWithdrawsClaims(t *testing.T) {
	file, g := path(t), newLatch()
	w := &watched{withdrawn: make(chan struct{})}
	d := startOn(t, file, sqlite.Options{}, func(s store.Store) store.Store { w.Store = s; return w }, &tasks.Handler{Name: "h", On: on("a"), Concurrency: 1, Action: g})
	for i := range 5 {
		d.emit("a", fmt.Sprint(i))
	}
	d.claimed(2)
	<-g.begun
	go func() {
		<-w.withdrawn
		close(g.end)
	}()
	d.stop()
	if len(g.begun) > 0 {
		t.Errorf("%v began after the stop", <-g.begun)
	}
	var attempts sync.Map
	d = start(t, file, &tasks.Handler{Name: "h", On: on("a"), Concurrency: 1, Retry: tasks.Retry{Attempts: 1}, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		attempts.Store(d.Event.Sequence, d.Attempt)
		return nil, nil
	})})
	for _, r := range d.settled(5) {
		history, err := d.store.Attempts(t.Context(), store.AttemptQuery{Run: r.ID})
		if r.State != store.Succeeded || r.Attempt != 1 || len(history) != 0 || err != nil {
			t.Errorf("%+v, %v, %v", r, history, err)
		}
	}
	if _, again := attempts.Load(int64(1)); again {
		t.Error("the first event was handled again")
	}
}

// After a kill an attempt that was claimed ahead is repeated and not counted, one that had a slot counts as failed.
func TestAKillDoesNotCountClaims(t *testing.T) {
	file, g := path(t), newLatch()
	once := tasks.Retry{Attempts: 1}
	d := startOn(t, file, sqlite.Options{}, func(s store.Store) store.Store { return &watched{Store: s, killed: true} },
		&tasks.Handler{Name: "h", On: on("a"), Concurrency: 1, Retry: once, Action: g})
	for i := range 5 {
		d.emit("a", fmt.Sprint(i))
	}
	d.claimed(2)
	<-g.begun
	d.kill()
	d = start(t, file, &tasks.Handler{Name: "h", On: on("a"), Concurrency: 1, Retry: once, Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, nil })})
	runs := d.settled(5)
	if r := runs[0]; r.State != store.Dead || r.Error != "evrun was stopped or killed while this attempt ran" {
		t.Errorf("the one that ran: %+v", r)
	}
	for i, r := range runs[1:] {
		history, err := d.store.Attempts(t.Context(), store.AttemptQuery{Run: r.ID})
		if err != nil || r.State != store.Succeeded || (i == 0) != (len(history) == 1) || r.Attempt != 1+len(history) || r.Budget != len(history) {
			t.Errorf("%+v, %v, %v", r, history, err)
		}
		if len(history) == 1 && !strings.Contains(history[0].Error, "may not have begun") {
			t.Errorf("%+v", history)
		}
	}
}

// watched is a store that keeps the claims.
type watched struct {
	store.Store
	mu     sync.Mutex
	claims [][]store.Claim

	fetched   atomic.Int32  // so many events were read one by one, for retries
	withdrawn chan struct{} // not nil: closed by the first Withdraw
	killed    bool          // Withdraw does nothing, as after a kill
}

func (w *watched) Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error) {
	if q.Before == q.After+2 {
		w.fetched.Add(1)
	}
	return w.Store.Events(ctx, q)
}

func (w *watched) Withdraw(ctx context.Context, claims []store.Claim) error {
	if w.withdrawn != nil {
		defer close(w.withdrawn)
	}
	if w.killed {
		return store.ErrClosed
	}
	return w.Store.Withdraw(ctx, claims)
}

func (w *watched) Start(ctx context.Context, claims []store.Claim) ([]bool, error) {
	w.mu.Lock()
	w.claims = append(w.claims, slices.Clone(claims))
	w.mu.Unlock()
	return w.Store.Start(ctx, claims)
}

// Only first attempts are claimed ahead, and never those of a handler with a rate or an order. Claims come in few writes, of a bounded number.
func TestWhatIsClaimedAhead(t *testing.T) {
	const n = 300
	by, err := expression.Compile("event.id", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]*tasks.Handler{
		"plain":      {Concurrency: 4},
		"one-by-one": {Concurrency: 1},
		"ordered":    {Concurrency: 4, OrderBy: by},
		"rate":       {Concurrency: 4, Rate: tasks.Rate{Count: 1000, Per: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &watched{}
			var calls atomic.Int64
			var mu sync.Mutex
			var order []int64
			h.Name, h.On, h.Action = "h", on("x"), outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
				mu.Lock()
				order = append(order, d.Event.Sequence)
				mu.Unlock()
				if calls.Add(1); d.Event.Sequence%5 == 0 && d.Attempt == 1 {
					return nil, errors.New("at first")
				}
				return nil, nil
			})
			d := startOn(t, path(t), sqlite.Options{}, func(s store.Store) store.Store { w.Store = s; return w }, h)
			emitSubjects(t, d, n, 1)
			d.settled(n)
			if got := calls.Load(); got != n+n/5 {
				t.Errorf("%d attempts, want %d", got, n+n/5)
			}
			ahead := 0
			for _, claims := range w.claims {
				if len(claims) > 512+4 {
					t.Errorf("%d claims in one write", len(claims))
				}
				for _, c := range claims {
					if c.Ahead {
						ahead++
					}
					if c.Ahead && (c.Attempt > 1 || name == "rate" || name == "ordered") {
						t.Errorf("claimed ahead: %+v", c)
					}
				}
			}
			if (name == "plain" || name == "one-by-one") && (ahead == 0 || len(w.claims) > n) {
				t.Errorf("%d claims ahead, in %d writes", ahead, len(w.claims))
			}
			if firsts := firsts(order); h.Concurrency == 1 && !slices.IsSorted(firsts) {
				t.Errorf("one by one, the order was %v", firsts)
			}
		})
	}
}

// firsts leaves out repetitions.
func firsts(order []int64) (list []int64) {
	seen := map[int64]bool{}
	for _, seq := range order {
		if !seen[seq] {
			list = append(list, seq)
		}
		seen[seq] = true
	}
	return list
}

// Attempts of one key are made one after the other: an attempt that fails is repeated before the next of its key begins.
func TestThePoolKeepsTheOrderOfKeys(t *testing.T) {
	by, err := expression.Compile("event.subject", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	const n = 300
	var mu sync.Mutex
	orders, running := map[string][]int64{}, map[string]bool{}
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("x"), Concurrency: 3, OrderBy: by, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		key := d.Event.Subject
		if running[key] {
			t.Errorf("two attempts of %s at a time", key)
		}
		running[key] = true
		orders[key] = append(orders[key], d.Event.Sequence)
		mu.Unlock()
		mu.Lock()
		running[key] = false
		if d.Event.Sequence%7 == 0 && d.Attempt == 1 {
			return nil, errors.New("at first")
		}
		return nil, nil
	})})
	emitSubjects(t, d, n, 20)
	d.settled(n)
	for key, order := range orders {
		if !slices.IsSorted(order) {
			t.Errorf("%s: %v", key, order)
		}
	}
}

// A handler that is replaced gives its claims back to its new version.
func TestAReplacedHandlerWithdrawsClaims(t *testing.T) {
	c, g := newTally(), newLatch()
	d := start(t, path(t), &tasks.Handler{Name: "a", Version: "1", On: on("a.b"), Concurrency: 2, Action: outsideFunc(func(ctx context.Context, d *tasks.Delivery) (any, error) {
		_ = c.count(d)
		return g.Do(ctx, d)
	})})
	d.emitNumbered(1, 20)
	<-g.begun
	<-g.begun
	d.claimed(4)
	d.replace(counting("a", "2", c))
	close(g.end)
	for _, r := range d.settled(20) {
		if r.State != store.Succeeded || r.Attempt != 1 {
			t.Errorf("%+v", r)
		}
	}
	c.once(t, 20)
}

// Large events are not claimed ahead without a bound.
func TestClaimsAheadAreBoundedInBytes(t *testing.T) {
	w, g := &watched{}, newLatch()
	d := startOn(t, path(t), sqlite.Options{}, func(s store.Store) store.Store { w.Store = s; return w },
		&tasks.Handler{Name: "h", On: on("x"), Concurrency: 16, Action: g})
	data := []byte(`"` + strings.Repeat("x", 500_000) + `"`)
	for range 36 {
		if _, err := d.emitter.Emit(t.Context(), &events.Event{Type: "x", Source: "/test", Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	for range 16 {
		<-g.begun
	}
	wait(10 * time.Millisecond) // for claims that must not come
	if n := len(must(t, d, store.Running)); n > 16+10 {
		t.Errorf("%d are claimed, and 16 run", n)
	}
	close(g.end)
	d.settled(36)
}

// With concurrency 1, what a kill interrupted before it began still comes before all later events.
func TestAfterAKillClaimsKeepTheOrder(t *testing.T) {
	const n = 50
	file, g := path(t), newLatch()
	once := tasks.Retry{Attempts: 1}
	d := startOn(t, file, sqlite.Options{}, func(s store.Store) store.Store { return &watched{Store: s, killed: true} },
		&tasks.Handler{Name: "h", On: on("a"), Concurrency: 1, Retry: once, Action: g})
	for i := range n {
		d.emit("a", fmt.Sprint(i))
	}
	first := d.claimed(2)
	<-g.begun
	var more []store.Claim // as a worker has them whose attempts were quick
	for seq := int64(3); seq <= 20; seq++ {
		more = append(more, store.Claim{Handler: first[0].HandlerID, Sequence: seq, Attempt: 1, At: time.Now(), Ahead: true})
	}
	if _, err := d.store.Start(t.Context(), more); err != nil {
		t.Fatal(err)
	}
	d.kill()
	var mu sync.Mutex
	var order []int64
	d = start(t, file, &tasks.Handler{Name: "h", On: on("a"), Concurrency: 1, Retry: once, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, d.Event.Sequence)
		return nil, nil
	})})
	d.settled(n)
	if len(order) != n-1 || !slices.IsSorted(order) {
		t.Errorf("the order was %v", order)
	}
}

// The store says of a claim only that its attempt may have begun; the runner knows.
func TestTheRunnerKnowsWhichClaimsHaveBegun(t *testing.T) {
	g := newLatch()
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Concurrency: 1, Action: g})
	for i := range 3 {
		d.emit("a", fmt.Sprint(i))
	}
	d.claimed(2)
	<-g.begun
	wait(2 * time.Millisecond)
	released := time.Now().Truncate(time.Microsecond)
	g.end <- nil
	<-g.begun
	runs, err := d.store.Runs(t.Context(), store.RunQuery{Sequence: 2})
	if err != nil || len(runs) != 1 || runs[0].Reason == "" || !runs[0].StartedAt.Before(released) {
		t.Fatalf("%+v, %v", runs, err)
	}
	if d.runner.Begun(t.Context(), runs); runs[0].Reason != "" || runs[0].StartedAt.Before(released) {
		t.Errorf("%+v", runs[0])
	}
	close(g.end)
	d.settled(3)
}
