// Package sharedtest has tests of runners that share a PostgreSQL database.
package sharedtest

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

type outside func(ctx context.Context) error

func (f outside) Do(ctx context.Context, _ *tasks.Delivery) (any, error) { return nil, f(ctx) }

type inside func() error

func (f inside) Prepare(*tasks.Delivery) (tasks.Effect, error) {
	return tasks.Effect{Write: func(store.Tx) (any, error) { return nil, nil }}, f()
}

func doneBy(t *testing.T, name string) []emission.Entry {
	typ, err := expression.CompileTemplate("done."+name, expression.HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	return []emission.Entry{{Type: typ}}
}

// peer is a daemon: a store with a runner on it.
type peer struct {
	s      *postgres.Store
	em     *emitter.Emitter
	runner *tasks.Runner
	stop   func()
}

// start starts a daemon. at is called at points of its transactions; nil: nothing.
func start(t *testing.T, address string, handlers []*tasks.Handler, at func(postgres.Point)) *peer {
	t.Helper()
	p := &peer{}
	bus := events.NewBus()
	runner := make(chan *tasks.Runner, 1)
	node := &store.Node{Name: "n", Started: time.Now()}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	var err error
	p.s, err = postgres.Open(t.Context(), address, postgres.Options{At: at, Options: store.Options{
		Node: node, OnCommit: func(c store.Commit) { bus.Publish(c.Events) },
		OnForeign: func(f store.Foreign) {
			select {
			case r := <-runner:
				runner <- r
				r.Foreign(f)
			default:
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.em = emitter.New(p.s, 0)
	p.runner = tasks.NewRunner(tasks.Options{Store: p.s, Bus: bus, Emitter: p.em, Handlers: handlers, Log: log})
	runner <- p.runner
	storing, endStore := context.WithCancel(context.Background())
	running, endRunner := context.WithCancel(context.Background())
	var stores, runners sync.WaitGroup
	stores.Go(func() {
		if err := p.s.Run(storing); err != nil {
			t.Errorf("store: %v", err)
		}
	})
	runners.Go(func() {
		if err := p.runner.Run(running); err != nil {
			t.Errorf("runner: %v", err)
		}
	})
	p.stop = sync.OnceFunc(func() {
		endRunner()
		runners.Wait()
		endStore()
		stores.Wait()
		bus.Close()
		if err := p.s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(p.stop)
	select {
	case <-p.runner.Ready():
	case <-time.After(30 * time.Second):
		t.Fatal("the runner is not ready")
	}
	return p
}

// Three runners share a database, while events come in, runners are stopped and started, connections are cut, and nodes lose their leases: each event has
// one effect of each handler, and keys keep their order.
func TestRunnersShareADatabase(t *testing.T) {
	address := postgrestest.Database(t)
	pool, err := pgxpool.New(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	by, err := expression.Compile("event.subject", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	errNoLuck := errors.New("no luck")
	out := outside(func(ctx context.Context) error {
		if rand.IntN(4) == 0 {
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if rand.IntN(20) == 0 {
			return errNoLuck
		}
		return nil
	})
	in := inside(func() error {
		if rand.IntN(20) == 0 {
			return errNoLuck
		}
		return nil
	})
	names := []string{"inside", "inside-ordered", "outside", "ordered", "one"}
	wiring := func() []*tasks.Handler {
		retry := tasks.Retry{Attempts: 1 << 20, Backoff: time.Nanosecond, Max: time.Nanosecond}
		x := []events.Pattern{events.MustPattern("x")}
		return []*tasks.Handler{
			{Name: "inside", On: x, Action: in, Retry: retry, Emit: doneBy(t, "inside")},
			{Name: "inside-ordered", On: x, Action: in, OrderBy: by, Retry: retry, Emit: doneBy(t, "inside-ordered")},
			{Name: "outside", On: x, Action: out, Retry: retry, Emit: doneBy(t, "outside")},
			{Name: "ordered", On: x, Action: out, OrderBy: by, Concurrency: 8, Retry: retry, Emit: doneBy(t, "ordered")},
			{Name: "one", On: x, Action: out, Concurrency: 1, Retry: retry, Emit: doneBy(t, "one")},
			{Name: "burst", On: x, Action: out, Retry: retry, Debounce: &tasks.Debounce{Wait: 3 * time.Millisecond, MaxWait: 20 * time.Millisecond, By: by, All: true}, Emit: doneBy(t, "burst")},
			{Name: "burst-inside", On: x, Action: in, Retry: retry, Debounce: &tasks.Debounce{Wait: 3 * time.Millisecond, By: by, All: true}, Emit: doneBy(t, "burst-inside")},
		}
	}
	// Now and then all connections are cut, or a node is declared dead, just before or after a commit.
	var commits atomic.Int64
	at := func(postgres.Point) {
		statement := `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'evrun/%'`
		switch n := commits.Add(1); {
		case n%401 == 0:
			statement = `UPDATE evrun.beats SET expires_at = now() - interval '1 second' WHERE random() < 0.4`
		case n%293 != 0:
			return
		}
		if _, err := pool.Exec(t.Context(), statement); err != nil && t.Context().Err() == nil {
			t.Logf("a cut: %v", err)
		}
	}
	peers := make([]*peer, 3)
	for i := range peers {
		peers[i] = start(t, address, wiring(), at)
	}
	total, steps := 0, 150
	if storetest.Long() {
		steps = 400
	}
	for range steps {
		var evs []*events.Event
		for range 1 + rand.IntN(20) {
			evs = append(evs, &events.Event{Type: "x", Source: "/test", Subject: string(rune('a' + rand.IntN(20))), Data: []byte("{}")})
		}
		i := rand.IntN(len(peers))
		if _, err := peers[i].em.Emit(t.Context(), evs...); err != nil {
			t.Fatal(err)
		}
		total += len(evs)
		switch n := rand.IntN(100); {
		case n < 3:
			peers[i].stop()
			peers[i] = start(t, address, wiring(), at)
		case n < 6:
			_, err = pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.3`)
		case n < 8:
			_, err = pool.Exec(t.Context(), `UPDATE evrun.beats SET expires_at = now() - interval '1 second' WHERE random() < 0.4`)
		case n < 60:
			time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(typ string) []*events.Event {
		t.Helper()
		evs, err := store.AllEvents(t.Context(), peers[0].s, store.EventQuery{Patterns: []events.Pattern{events.MustPattern(typ)}})
		if err != nil {
			t.Fatal(err)
		}
		return evs
	}
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		missing := 0
		for _, name := range names {
			missing += max(0, total-len(read("done."+name)))
		}
		if missing == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("%d effects are missing", missing)
			break
		}
	}
	subjects := map[int64]string{}
	for _, e := range read("x") {
		subjects[e.Sequence] = e.Subject
	}
	for _, name := range names {
		of, last := map[int64]int{}, map[string]int64{}
		for _, e := range read("done." + name) {
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
				runs, _ := peers[0].s.Runs(t.Context(), store.RunQuery{Sequence: seq, Handler: name})
				t.Errorf("%s: #%d has %d effects: %+v", name, seq, of[seq], runs)
			}
		}
	}
	for _, name := range []string{"burst", "burst-inside"} {
		joined(t, peers[0].s, name, subjects, func() []*events.Event { return read("done." + name) })
	}
	t.Logf("%d events, %d points of transactions", total, commits.Load())
	for _, p := range peers {
		p.stop()
	}
}

// joined checks a handler with bursts: each event has one run, which has succeeded with one effect, or has joined a later one of its key that has.
func joined(t *testing.T, s *postgres.Store, name string, subjects map[int64]string, effects func() []*events.Event) {
	t.Helper()
	runs := map[int64]store.Run{}
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		clear(runs)
		list, err := s.Runs(t.Context(), store.RunQuery{Handler: name, Limit: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if r.State.Ended() {
				runs[r.Sequence] = r
			}
		}
		if len(runs) == len(subjects) {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: %d of %d runs have ended", name, len(runs), len(subjects))
			return
		}
	}
	of := map[int64]int{}
	for _, e := range effects() {
		of[e.Cause]++
	}
	bursts := 0
	for seq, r := range runs {
		want := 1
		if r.State == store.Skipped {
			want = 0
			if into := runs[r.Joined]; into.State != store.Succeeded || into.Sequence <= seq || subjects[into.Sequence] != subjects[seq] {
				t.Errorf("%s: #%d joined %+v", name, seq, into)
			}
		} else {
			bursts++
		}
		if of[seq] != want {
			t.Errorf("%s: #%d has %d effects: %+v", name, seq, of[seq], r)
		}
	}
	if bursts == len(runs) {
		t.Errorf("%s: no event has joined another", name)
	}
}
