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
	"evrun/tasks"
	"evrun/tasks/chain"
	"evrun/tasks/emission"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
)

func TestInsideHandlerWritesOncePerEvent(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "save", On: on("user.*"), Action: saveUser})
	for i := range 500 {
		d.emit([]string{"user.registered", "order.placed"}[i%2], fmt.Sprint(i))
	}
	for _, r := range d.settled(250) {
		if r.State != store.Succeeded || r.Attempt != 1 {
			t.Errorf("run %+v", r)
		}
	}
	if n := users(t, d); n != 250 {
		t.Errorf("%d users", n)
	}
}

func TestEmittedEventIsHandledAndLinked(t *testing.T) {
	typ, _ := expression.CompileTemplate("user.created", expression.HandlerEmit)
	got := make(chan *events.Event, 1)
	d := start(t, path(t),
		&tasks.Handler{Name: "save", On: on("user.registered"), Action: saveUser, Emit: []emission.Entry{{Type: typ}}},
		&tasks.Handler{Name: "announce", On: on("user.created"), Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			got <- d.Event
			return nil, nil
		})})
	root := d.emit("user.registered", "ada")
	child := <-got
	if child.Chain != root.Sequence || child.CorrelationID != "ada" || child.CausationID != "ada" || child.Hops != 1 || child.Source != "/evrun/"+d.store.ID()+"/handlers/save" {
		t.Errorf("chain: %+v", child)
	}
	if string(child.Data) != `{"email":"ada@example.com","id":1}` {
		t.Errorf("data: %s", child.Data)
	}
	if child.Sequence <= root.Sequence {
		t.Errorf("sequence %d", child.Sequence)
	}
	d.settled(2)
}

func TestFollowReportsTheWholeChain(t *testing.T) {
	typ, _ := expression.CompileTemplate("b", expression.HandlerEmit)
	d := start(t, path(t),
		&tasks.Handler{Name: "one", On: on("a"), Action: saveUser, Emit: []emission.Entry{{Type: typ}}},
		&tasks.Handler{Name: "two", On: on("b"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, nil })},
		&tasks.Handler{Name: "three", On: on("b"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
			return nil, tasks.Permanent(errors.New("no"))
		})})
	root := d.emit("a", "root")
	var seen []string
	chain, err := d.runner.Follow(t.Context(), root, d.commits, func(l chain.Link) error {
		if l.Run != nil {
			seen = append(seen, l.Run.Handler+" "+l.Run.State.String())
		} else {
			seen = append(seen, l.Event.Type)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !chain.Matched || !chain.Dead {
		t.Errorf("matched %v, dead %v", chain.Matched, chain.Dead)
	}
	if seen[0] != "a" || len(seen) != 6 { // a, one, b, two, three, evrun.run.dead
		t.Errorf("saw %q", seen)
	}
	for _, want := range []string{"one succeeded", "b", "two succeeded", "three dead", "evrun.run.dead"} {
		if !slices.Contains(seen, want) {
			t.Errorf("%q is missing in %q", want, seen)
		}
	}
}

func TestConditionSkips(t *testing.T) {
	when, err := expression.Compile(`data.id == "yes"`, expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on(">"), When: when, Action: saveUser})
	d.emit("a", "no")
	d.emit("a", "yes")
	runs := d.settled(2)
	if runs[0].State != store.Skipped || runs[1].State != store.Succeeded {
		t.Errorf("states: %v, %v", runs[0].State, runs[1].State)
	}
}

func TestFailedAttemptsAreRetriedThenDead(t *testing.T) {
	var ids sync.Map
	var dead atomic.Int64
	d := start(t, path(t),
		&tasks.Handler{Name: "flaky", On: on("a"), Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			ids.Store(d.RunID, d.Attempt)
			if d.Event.ID == "third" && d.Attempt == 3 {
				return nil, nil
			}
			return nil, fmt.Errorf("attempt %d", d.Attempt)
		})},
		&tasks.Handler{Name: "alert", On: on("evrun.run.dead"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
			dead.Add(1)
			return nil, nil
		})})
	d.emit("a", "never")
	d.emit("a", "third")
	byEvent := map[string]store.Run{}
	for _, r := range d.settled(3) {
		byEvent[r.Handler+r.EventID] = r
	}
	if r := byEvent["flakynever"]; r.State != store.Dead || r.Attempt != 3 || r.Error != "attempt 3" {
		t.Errorf("never: %+v", r)
	}
	if r := byEvent["flakythird"]; r.State != store.Succeeded || r.Attempt != 3 || r.Error != "" {
		t.Errorf("third: %+v", r)
	}
	if dead.Load() != 1 {
		t.Errorf("evrun.run.dead was handled %d times", dead.Load())
	}
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if n != 2 {
		t.Errorf("%d idempotency keys for two runs", n)
	}
	attempts, err := d.store.Attempts(t.Context(), store.AttemptQuery{Run: byEvent["flakynever"].ID})
	if err != nil || len(attempts) != 3 {
		t.Errorf("history: %+v, %v", attempts, err)
	}
}

func TestPermanentErrorIsNotRetried(t *testing.T) {
	var calls atomic.Int64
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
		calls.Add(1)
		return nil, tasks.Permanent(errors.New("never"))
	})})
	d.emit("a", "1")
	if r := d.settled(1)[0]; r.State != store.Dead || r.Attempt != 1 || calls.Load() != 1 {
		t.Errorf("run %+v after %d calls", r, calls.Load())
	}
}

func TestConflictInsideIsDeadAtOnceAndLeavesNothing(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on(">"), Action: insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
		return tasks.Effect{User: &store.User{Name: "x", Email: "same@example.com"}, Stored: func(_ store.User, err error) (any, error) { return nil, err }}, nil
	})})
	d.emit("a", "1")
	d.emit("a", "2")
	runs := d.settled(2)
	if runs[0].State != store.Succeeded || runs[1].State != store.Dead || runs[1].Attempt != 1 {
		t.Errorf("states: %+v", runs)
	}
	if n := users(t, d); n != 1 {
		t.Errorf("%d users", n)
	}
}

func TestPanicsAreCaughtWithTheirStack(t *testing.T) {
	for name, action := range map[string]tasks.Action{
		"outside": outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { panic("boom") }),
		"prepare": insideFunc(func(*tasks.Delivery) (tasks.Effect, error) { panic("boom") }),
		"effect": insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
			return tasks.Effect{Write: func(store.Tx) (any, error) { panic("boom") }}, nil
		}),
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: action})
			d.emit("a", "1")
			r := d.settled(1)[0]
			if r.State != store.Dead || r.Attempt != 3 || !strings.Contains(r.Error, "boom") || !strings.Contains(r.Error, "runner_test.go") {
				t.Errorf("run %+v", r)
			}
		})
	}
}

func TestTimeoutEndsAnAttempt(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Timeout: 5 * time.Millisecond, Retry: tasks.Retry{Attempts: 1},
		Action: outsideFunc(func(ctx context.Context, _ *tasks.Delivery) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})})
	d.emit("a", "1")
	if r := d.settled(1)[0]; r.State != store.Dead || !strings.Contains(r.Error, "timeout of 5ms") {
		t.Errorf("run %+v", r)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	var running, most atomic.Int64
	release := make(chan struct{})
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on(">"), Concurrency: 3, Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
		n := running.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == 3 {
			close(release)
		}
		<-release
		running.Add(-1)
		return nil, nil
	})})
	for i := range 3 {
		d.emit("a", fmt.Sprint(i))
	}
	d.settled(3)
	if most.Load() != 3 {
		t.Errorf("%d at a time", most.Load())
	}
}

func TestOverflowingHandlerMissesNothingAndRepeatsNothing(t *testing.T) {
	const n = 3000 // beyond what its live buffer holds
	release := make(chan struct{})
	var mu sync.Mutex
	seen := map[int64]int{}
	d := start(t, path(t),
		&tasks.Handler{Name: "slow", On: on(">"), Concurrency: 64, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			<-release
			mu.Lock()
			defer mu.Unlock()
			seen[d.Event.Sequence]++
			return nil, nil
		})},
		&tasks.Handler{Name: "fast", On: on(">"), Action: saveUser})
	var batch []*events.Event
	for i := range n {
		batch = append(batch, &events.Event{Type: "a", ID: fmt.Sprint(i), Source: "/test"})
		if len(batch) == 500 {
			if _, err := d.emitter.Emit(t.Context(), batch...); err != nil {
				t.Fatal(err)
			}
			batch = nil
		}
	}
	d.settled(n) // fast is not held up
	if got := users(t, d); got != n {
		t.Errorf("%d users", got)
	}
	close(release)
	d.settled(2 * n)
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != n {
		t.Errorf("slow saw %d of %d events", len(seen), n)
	}
	for seq, times := range seen {
		if times != 1 {
			t.Errorf("#%d was handled %d times", seq, times)
		}
	}
}

func TestDeadRunIsRetriedWithItsKeyAndHistory(t *testing.T) {
	var fixed atomic.Bool
	keys := make(chan string, 10)
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		keys <- d.RunID
		if fixed.Load() {
			return nil, nil
		}
		return nil, errors.New("broken")
	})})
	d.emit("a", "1")
	dead := d.settled(1)[0]
	fixed.Store(true)
	if runs, err := d.runner.Retry(t.Context(), store.Change{Query: store.RunQuery{ID: dead.ID}}); err != nil || len(runs) != 1 {
		t.Fatalf("retry: %v, %v", runs, err)
	}
	for must(t, d, store.Succeeded) == nil {
		wait(time.Millisecond)
	}
	r := must(t, d, store.Succeeded)[0]
	if r.Attempt != 4 || r.ID != dead.ID {
		t.Errorf("run %+v", r)
	}
	close(keys)
	for key := range keys {
		if key != dead.ID {
			t.Errorf("idempotency key %s", key)
		}
	}
}

func TestLoopOfEventsEndsWithAReason(t *testing.T) {
	typ, _ := expression.CompileTemplate("a", expression.HandlerEmit)
	d := start(t, path(t), &tasks.Handler{Name: "loop", On: on("a"), Action: saveUser, Emit: []emission.Entry{{Type: typ}}})
	d.emit("a", "1")
	runs := d.settled(events.MaxHops + 1)
	last := runs[len(runs)-1]
	if last.State != store.Dead || !strings.Contains(last.Error, "loop") {
		t.Errorf("the last run: %+v", last)
	}
	if n := users(t, d); n != events.MaxHops {
		t.Errorf("%d users: the refused emit must undo its effect", n)
	}
}

func TestNewHandlerStartsAtTheHead(t *testing.T) {
	p := path(t)
	d := start(t, p)
	d.emit("a", "before")
	d.stop()
	d = start(t, p, &tasks.Handler{Name: "new", On: on("a"), Action: saveUser},
		&tasks.Handler{Name: "all", On: on("a"), FromStart: true, Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, nil })})
	d.emit("a", "after")
	byHandler := map[string]int{}
	for _, r := range d.settled(3) {
		byHandler[r.Handler]++
	}
	if byHandler["new"] != 1 || byHandler["all"] != 2 {
		t.Errorf("runs: %v", byHandler)
	}
}

func TestRefusedEventsAreNotAccepted(t *testing.T) {
	d := start(t, path(t))
	for name, e := range map[string]*events.Event{
		"reserved":  {Type: "evrun.run.dead"},
		"empty":     {Type: "a..b"},
		"no JSON":   {Type: "a", Data: []byte("{")},
		"too large": {Type: "a", Data: []byte(`"` + strings.Repeat("x", emitter.DefaultMaxEvent) + `"`)},
	} {
		var refused *emitter.RefusedError
		if _, err := d.emitter.Emit(t.Context(), e); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if head, _ := d.store.Head(t.Context()); head != 0 {
		t.Errorf("head %d", head)
	}
}
