// Package taskstest runs handlers on a real store, for tests: the parts of a daemon that are below cmd, wired, started and stopped as a
// daemon does it.
//
//	d := taskstest.Start(t, taskstest.Options{Tasks: tasks.Options{Handlers: handlers}})
//	d.Emitter.Emit(t.Context(), e)
package taskstest

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/sqlite"
	"evrun/store/sqlite/database"
	"evrun/tasks"
	"evrun/tasks/emitter"
)

// Options are the parts that a test may change. The zero value is a new store without handlers.
type Options struct {
	// Path is that of the store, or the address of a PostgreSQL database. Default: in a new directory.
	Path string
	// Store are the store's options. On PostgreSQL only those count that every store has.
	Store sqlite.Options
	// Tasks are the runner's options. Store, Bus, Emitter and Log are set, but Tune may change them; default: it does not.
	Tasks tasks.Options
	Tune  func(store.Store, *tasks.Options)
}

// Daemon is a store with a runner on it. Its goroutines end with the test, if not before.
type Daemon struct {
	Store   store.Store
	Bus     *events.Bus
	Commits *events.Feed[store.Commit] // each commit, after the bus has its events
	Emitter *emitter.Emitter
	Runner  *tasks.Runner

	// Kill stops the store under the runner, and then the rest.
	Kill func()
	// StopRunner stops the runner and returns its error. It may be called again.
	StopRunner func() error
	// Stop stops the runner, and then the rest. It returns the runner's error, and may be called again.
	Stop func() error
}

// Start returns when the runner takes events. At its end the test fails if the runner's or the store's Run has failed, unless the
// test has called StopRunner or Stop itself.
func Start(t testing.TB, o Options) *Daemon {
	t.Helper()
	d := &Daemon{Bus: events.NewBus(), Commits: events.NewFeed[store.Commit]()}
	onCommit := o.Store.OnCommit
	o.Store.OnCommit = func(c store.Commit) {
		d.Bus.Publish(c.Events)
		d.Commits.Publish(c)
		if onCommit != nil {
			onCommit(c)
		}
	}
	if o.Store.WantRuns == nil {
		o.Store.WantRuns = func() bool { return d.Commits.Subscribers() > 0 }
	}
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "evrun.db")
	}
	var runner atomic.Pointer[tasks.Runner]
	var s store.Store
	var err error // of the runner, once ended is closed
	if strings.HasPrefix(o.Path, "postgres://") {
		s, err = openPostgres(t.Context(), o, &runner)
	} else {
		s, err = sqlite.Open(o.Path, o.Store)
	}
	if err != nil {
		t.Fatal(err)
	}
	end, closeStore := run(t, s)
	d.Store = s
	o.Tasks.Store, o.Tasks.Bus, o.Tasks.Emitter, o.Tasks.Log = s, d.Bus, emitter.New(s, 0), slog.New(slog.DiscardHandler)
	o.Tasks.OpenDatabase = database.Open
	if o.Tune != nil {
		o.Tune(s, &o.Tasks)
	}
	d.Emitter, d.Runner = o.Tasks.Emitter, tasks.NewRunner(o.Tasks)
	runner.Store(d.Runner)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = d.Runner.Run(ctx)
	}()
	d.StopRunner = func() error {
		stop()
		<-ended
		return err
	}
	rest := sync.OnceFunc(func() {
		closeStore()
		d.Bus.Close()
		d.Commits.Close()
	})
	stopped := false
	d.Stop = func() error {
		stopped = true
		err := d.StopRunner()
		rest()
		return err
	}
	d.Kill = func() {
		end()
		if err := d.Stop(); err != nil {
			t.Errorf("runner: %v", err)
		}
	}
	t.Cleanup(func() {
		first := !stopped
		if err := d.Stop(); err != nil && first {
			t.Errorf("runner: %v", err)
		}
	})
	select {
	case <-d.Runner.Ready():
	case <-ended:
		t.Fatalf("the runner ended at once: %v", err)
	}
	return d
}

// openPostgres opens a store that other daemons may share. What they change by hand goes to the runner, once there is one.
func openPostgres(ctx context.Context, o Options, runner *atomic.Pointer[tasks.Runner]) (store.Store, error) {
	opt := o.Store.Options
	opt.Node = &store.Node{Name: "test", Started: time.Now()}
	opt.OnForeign = func(f store.Foreign) {
		if r := runner.Load(); r != nil {
			r.Foreign(f)
		}
	}
	return postgres.Open(ctx, o.Path, postgres.Options{Options: opt})
}

// OpenStore opens a store in a file and runs its writer until stop, or the end of the test. stop may be called again.
func OpenStore(t testing.TB, path string, o sqlite.Options) (s *sqlite.Store, stop func()) {
	t.Helper()
	s, err := sqlite.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	_, stop = run(t, s)
	return s, stop
}

// run runs a store's writer. end ends the writer, and does not wait for it; stop does, and closes the store.
func run(t testing.TB, s store.Store) (end, stop func()) {
	t.Helper()
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		end()
		if err := <-ended; err != nil {
			t.Errorf("store: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	t.Cleanup(stop)
	return end, stop
}
