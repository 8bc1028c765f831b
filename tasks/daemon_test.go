package tasks_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/postgrestest"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/taskstest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(withPostgres{m}, goleak.IgnoreAnyFunction("evrun/store/postgres/postgrestest.startFrom.func1"))
}

// outsideFunc and insideFunc make handlers of functions.
type outsideFunc func(ctx context.Context, d *tasks.Delivery) (any, error)

func (f outsideFunc) Do(ctx context.Context, d *tasks.Delivery) (any, error) { return f(ctx, d) }

type insideFunc func(d *tasks.Delivery) (tasks.Effect, error)

func (f insideFunc) Prepare(d *tasks.Delivery) (tasks.Effect, error) { return f(d) }

// saveUser inserts a user named after the event.
var saveUser = insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
	user := &store.User{Name: "x", Email: d.Event.ID + "@example.com", EventID: d.Event.ID}
	return tasks.Effect{User: user, Stored: func(u store.User, err error) (any, error) {
		return map[string]any{"id": u.ID, "email": u.Email}, err
	}}, nil
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

// daemon is a store with a runner, for tests.
type daemon struct {
	t       testing.TB
	store   store.Store
	bus     *events.Bus
	commits *events.Feed[store.Commit]
	emitter *emitter.Emitter
	runner  *tasks.Runner
	stop    func() // ends the runner, then the store; idempotent
	kill    func() // ends the store under the runner
}

// start opens the store at path and runs handlers on it until stop or the end of the test.
func start(t testing.TB, path string, handlers ...*tasks.Handler) *daemon {
	t.Helper()
	return startWith(t, path, sqlite.Options{}, handlers...)
}

// startWith is start with options for the store.
func startWith(t testing.TB, path string, opt sqlite.Options, handlers ...*tasks.Handler) *daemon {
	t.Helper()
	return startOn(t, path, opt, func(s store.Store) store.Store { return s }, handlers...)
}

// startOn is startWith with a wrapper of the store for the runner.
func startOn(t testing.TB, path string, opt sqlite.Options, runnersStore func(store.Store) store.Store, handlers ...*tasks.Handler) *daemon {
	t.Helper()
	return startTuned(t, path, opt, func(o *tasks.Options, s store.Store) { o.Store = runnersStore(s) }, handlers...)
}

// startTuned is startWith with changed options of the runner.
func startTuned(t testing.TB, path string, opt sqlite.Options, tune func(*tasks.Options, store.Store), handlers ...*tasks.Handler) *daemon {
	t.Helper()
	for _, h := range handlers {
		if h.Retry == (tasks.Retry{}) {
			h.Retry = quick
		}
	}
	o := taskstest.Options{Path: path, Store: opt, Tasks: tasks.Options{Handlers: handlers, Grace: 200 * time.Millisecond}}
	o.Tune = func(s store.Store, o *tasks.Options) { tune(o, s) }
	p := taskstest.Start(t, o)
	stop := func() {
		if err := p.Stop(); err != nil {
			t.Errorf("runner: %v", err)
		}
	}
	return &daemon{t: t, store: p.Store, bus: p.Bus, commits: p.Commits, emitter: p.Emitter, runner: p.Runner, stop: stop, kill: p.Kill}
}

// path is where a new store is made: a file, or a database (see [TestTheProofsHoldOnPostgreSQL]).
func path(t testing.TB) string {
	if onPostgres {
		return postgrestest.Database(t)
	}
	return filepath.Join(t.TempDir(), "evrun.db")
}

func (d *daemon) emit(typ, id string) *events.Event {
	d.t.Helper()
	e := &events.Event{Type: typ, ID: id, Source: "/test", Data: []byte(fmt.Sprintf(`{"id":%q,"key":%q}`, id, strings.Split(id, "/")[0]))}
	if _, err := d.emitter.Emit(context.Background(), e); err != nil {
		d.t.Fatal(err)
	}
	return e
}

// hang is the timeout of waits in tests. A busy machine can need seconds for things that usually take no time.
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
		over := slices.DeleteFunc(slices.Clone(all), func(r store.Run) bool { return !r.State.Ended() })
		if len(over) >= n {
			slices.Reverse(over)
			return over
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%d of %d runs are over, of %d in all", len(over), n, len(all))
		}
		wait(time.Duration(1+n/100) * time.Millisecond) // reading many runs costs more than waiting
	}
}

// wait lets time pass for something that the test can't observe directly.
func wait(d time.Duration) { <-time.After(d) }

func users(t testing.TB, d *daemon) int64 {
	t.Helper()
	n, err := d.store.CountUsers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func must(t *testing.T, d *daemon, state store.RunState) []store.Run {
	t.Helper()
	runs, err := d.store.Runs(context.Background(), store.RunQuery{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}
