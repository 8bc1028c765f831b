package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/taskstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outsideFunc and insideFunc make handlers of functions.
type outsideFunc func(ctx context.Context, d *tasks.Delivery) (any, error)

func (f outsideFunc) Do(ctx context.Context, d *tasks.Delivery) (any, error) { return f(ctx, d) }

type insideFunc func(d *tasks.Delivery) (tasks.Effect, error)

func (f insideFunc) Prepare(d *tasks.Delivery) (tasks.Effect, error) { return f(d) }

// saveUser inserts a user named after the event.
var saveUser = insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
	return func(tx store.Tx) (any, error) {
		u, err := tx.InsertUser(store.User{Name: "x", Email: d.Event.ID + "@example.com", EventID: d.Event.ID}, store.Fail)
		return map[string]any{"id": u.ID, "email": u.Email}, err
	}, nil
})

func on(patterns ...string) []events.Pattern {
	var list []events.Pattern
	for _, p := range patterns {
		list = append(list, events.MustPattern(p))
	}
	return list
}

// quick is a retry policy for tests.
var quick = tasks.Retry{Attempts: 3, Backoff: time.Millisecond, Max: 2 * time.Millisecond}

// daemon is what tests run: a store with the runner on it.
type daemon struct {
	t       testing.TB
	store   *sqlite.Store
	bus     *events.Bus
	commits *events.Feed[store.Commit]
	emitter *tasks.Emitter
	runner  *tasks.Runner
	stop    func() // ends the runner, then the store; idempotent
	kill    func() // ends the store under the runner
}

// start opens the store at path and runs handlers on it until stop, or the test's end.
func start(t testing.TB, path string, handlers ...*tasks.Handler) *daemon {
	t.Helper()
	return startWith(t, path, sqlite.Options{}, handlers...)
}

// startWith is start with options of the store's.
func startWith(t testing.TB, path string, opt sqlite.Options, handlers ...*tasks.Handler) *daemon {
	t.Helper()
	return startOn(t, path, opt, func(s *sqlite.Store) store.Store { return s }, handlers...)
}

// startOn is startWith with what the runner takes for the store.
func startOn(t testing.TB, path string, opt sqlite.Options, runnersStore func(*sqlite.Store) store.Store, handlers ...*tasks.Handler) *daemon {
	t.Helper()
	return startTuned(t, path, opt, func(o *tasks.Options, s *sqlite.Store) { o.Store = runnersStore(s) }, handlers...)
}

// startTuned is startWith with other options of the runner.
func startTuned(t testing.TB, path string, opt sqlite.Options, tune func(*tasks.Options, *sqlite.Store), handlers ...*tasks.Handler) *daemon {
	t.Helper()
	for _, h := range handlers {
		if h.Retry == (tasks.Retry{}) {
			h.Retry = quick
		}
	}
	o := taskstest.Options{Path: path, Store: opt, Tasks: tasks.Options{Handlers: handlers, Grace: 200 * time.Millisecond}}
	o.Tune = func(s *sqlite.Store, o *tasks.Options) { tune(o, s) }
	p := taskstest.Start(t, o)
	stop := func() {
		if err := p.Stop(); err != nil {
			t.Errorf("runner: %v", err)
		}
	}
	return &daemon{t: t, store: p.Store, bus: p.Bus, commits: p.Commits, emitter: p.Emitter, runner: p.Runner, stop: stop, kill: p.Kill}
}

func path(t testing.TB) string { return filepath.Join(t.TempDir(), "evrun.db") }

func (d *daemon) emit(typ, id string) *events.Event {
	d.t.Helper()
	e := &events.Event{Type: typ, ID: id, Source: "/test", Data: []byte(fmt.Sprintf(`{"id":%q,"key":%q}`, id, strings.Split(id, "/")[0]))}
	if _, err := d.emitter.Emit(context.Background(), e); err != nil {
		d.t.Fatal(err)
	}
	return e
}

// hang is how long something takes that will never come; a busy machine needs seconds for what else takes none.
const hang = 5 * time.Minute

// settled waits until n runs are over, and returns them, oldest first.
func (d *daemon) settled(n int) []store.Run {
	d.t.Helper()
	deadline := time.Now().Add(hang)
	for {
		all, err := d.store.Runs(context.Background(), store.RunQuery{Limit: 100_000})
		if err != nil {
			d.t.Fatal(err)
		}
		over := slices.DeleteFunc(slices.Clone(all), func(r store.Run) bool { return !r.State.Settled() })
		if len(over) >= n {
			slices.Reverse(over)
			return over
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%d of %d runs are over, of %d in all", len(over), n, len(all))
		}
		wait(time.Duration(1+n/100) * time.Millisecond) // reading many costs the machine more than waiting does
	}
}

// wait lets time pass while something outside the test's reach happens.
func wait(d time.Duration) { <-time.After(d) }

func users(t testing.TB, d *daemon) int64 {
	t.Helper()
	n, err := d.store.CountUsers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

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
		&tasks.Handler{Name: "save", On: on("user.registered"), Action: saveUser, Emit: []tasks.Emission{{Type: typ}}},
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
		&tasks.Handler{Name: "one", On: on("a"), Action: saveUser, Emit: []tasks.Emission{{Type: typ}}},
		&tasks.Handler{Name: "two", On: on("b"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, nil })},
		&tasks.Handler{Name: "three", On: on("b"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
			return nil, tasks.Permanent(errors.New("no"))
		})})
	root := d.emit("a", "root")
	var seen []string
	chain, err := d.runner.Follow(t.Context(), root, d.commits, func(l tasks.Link) error {
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
	attempts, err := d.store.Attempts(t.Context(), byEvent["flakynever"].ID)
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
		return func(tx store.Tx) (any, error) {
			_, err := tx.InsertUser(store.User{Name: "x", Email: "same@example.com"}, store.Fail)
			return nil, err
		}, nil
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
			return func(store.Tx) (any, error) { panic("boom") }, nil
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

func TestOneAtATimeKeepsTheOrder(t *testing.T) {
	var mu sync.Mutex
	var order []int64
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on(">"), Concurrency: 1, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, d.Event.Sequence)
		return nil, nil
	})})
	for i := range 100 {
		d.emit("a", fmt.Sprint(i))
	}
	d.settled(100)
	if !slices.IsSorted(order) || len(order) != 100 {
		t.Errorf("order: %v", order)
	}
}

func TestEventsWithOneKeyRunInOrderAndRetriesHoldTheirKeyOnly(t *testing.T) {
	orderBy, err := expression.Compile("data.key", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	done := map[string][]string{}
	blocked := make(chan struct{})
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on(">"), Concurrency: 8, OrderBy: orderBy, Retry: tasks.Retry{Attempts: 1000, Backoff: time.Millisecond, Max: time.Millisecond},
		Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			key, id, _ := strings.Cut(d.Event.ID, "/")
			if key == "bad" && id == "000" {
				select {
				case <-blocked:
				default:
					return nil, errors.New("not yet")
				}
			}
			mu.Lock()
			defer mu.Unlock()
			done[key] = append(done[key], id)
			return nil, nil
		})})
	for i := range 50 {
		for _, key := range []string{"bad", "x", "y"} {
			d.emit("a", fmt.Sprintf("%s/%03d", key, i))
		}
	}
	d.settled(100) // x and y go on
	mu.Lock()
	if len(done["bad"]) != 0 {
		t.Errorf("bad: %v ran before the first", done["bad"])
	}
	mu.Unlock()
	close(blocked)
	d.settled(150)
	for key, ids := range done {
		if len(ids) != 50 || !slices.IsSorted(ids) {
			t.Errorf("%s: %v", key, ids)
		}
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

func TestRestartGoesOnWhereItStopped(t *testing.T) {
	p := path(t)
	save := func() *tasks.Handler { return &tasks.Handler{Name: "save", On: on("a"), Action: saveUser} }
	d := start(t, p, save())
	for i := range 100 {
		d.emit("a", fmt.Sprint("first", i))
	}
	d.kill() // whatever is settled by now
	d = start(t, p, save())
	for i := range 100 {
		d.emit("a", fmt.Sprint("second", i))
	}
	d.settled(200)
	if n := users(t, d); n != 200 {
		t.Errorf("%d users", n)
	}
	for _, r := range d.settled(200) {
		if r.State != store.Succeeded {
			t.Errorf("run %+v", r)
		}
	}
}

func TestInterruptedAttemptIsTriedAgain(t *testing.T) {
	p := path(t)
	hang := &tasks.Handler{Name: "h", On: on("a"), Retry: tasks.Retry{Attempts: 3, Backoff: time.Millisecond, Max: time.Millisecond},
		Action: outsideFunc(func(ctx context.Context, d *tasks.Delivery) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})}
	d := start(t, p, hang)
	d.emit("a", "1")
	for len(must(t, d, store.Running)) == 0 {
		wait(time.Millisecond)
	}
	d.kill()
	var attempt atomic.Int64
	d = start(t, p, &tasks.Handler{Name: "h", On: on("a"), Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		attempt.Store(int64(d.Attempt))
		return nil, nil
	})})
	if r := d.settled(1)[0]; r.State != store.Succeeded || attempt.Load() != 2 {
		t.Errorf("run %+v, attempt %d", r, attempt.Load())
	}
}

func must(t *testing.T, d *daemon, state store.RunState) []store.Run {
	t.Helper()
	runs, err := d.store.Runs(context.Background(), store.RunQuery{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func TestGraceLetsAnAttemptEnd(t *testing.T) {
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		started := make(chan struct{})
		d := inBubble(t, p, &tasks.Handler{Name: "h", On: on("a"), Action: outsideFunc(func(ctx context.Context, _ *tasks.Delivery) (any, error) {
			close(started)
			select {
			case <-time.After(20 * time.Millisecond):
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})})
		d.emit("a", "1")
		<-started
		d.stop()
	})
	s, err := sqlite.OpenReader(p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	runs, err := s.Runs(t.Context(), store.RunQuery{})
	if err != nil || len(runs) != 1 || runs[0].State != store.Succeeded {
		t.Errorf("runs %+v, %v", runs, err)
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
	if runs, err := d.runner.Retry(t.Context(), store.RunQuery{ID: dead.ID}); err != nil || len(runs) != 1 {
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
	d := start(t, path(t), &tasks.Handler{Name: "loop", On: on("a"), Action: saveUser, Emit: []tasks.Emission{{Type: typ}}})
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
		"too large": {Type: "a", Data: []byte(`"` + strings.Repeat("x", tasks.DefaultMaxEvent) + `"`)},
	} {
		var refused *tasks.RefusedError
		if _, err := d.emitter.Emit(t.Context(), e); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if head, _ := d.store.Head(t.Context()); head != 0 {
		t.Errorf("head %d", head)
	}
}
