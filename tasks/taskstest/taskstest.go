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
	"sync"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/sqlite/database"
	"evrun/tasks"
	"evrun/tasks/emitter"
)

// Options are the parts that a test may change. The zero value is a new store without handlers.
type Options struct {
	Path  string // of the store; default: in a new directory
	Store sqlite.Options
	// Tasks are the runner's options. Store, Bus, Emitter and Log are set, but Tune may change them; default: it does not.
	Tasks tasks.Options
	Tune  func(*sqlite.Store, *tasks.Options)
}

// Daemon is a store with a runner on it. Its goroutines end with the test, if not before.
type Daemon struct {
	Store   *sqlite.Store
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
	s, end, closeStore := open(t, o.Path, o.Store)
	d.Store = s
	o.Tasks.Store, o.Tasks.Bus, o.Tasks.Emitter, o.Tasks.Log = s, d.Bus, emitter.New(s, 0), slog.New(slog.DiscardHandler)
	o.Tasks.OpenDatabase = database.Open
	if o.Tune != nil {
		o.Tune(s, &o.Tasks)
	}
	d.Emitter, d.Runner = o.Tasks.Emitter, tasks.NewRunner(o.Tasks)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var err error // of the runner, once ended is closed
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

// OpenStore opens a store and runs its writer until stop, or the end of the test. stop may be called again.
func OpenStore(t testing.TB, path string, o sqlite.Options) (s *sqlite.Store, stop func()) {
	t.Helper()
	s, _, stop = open(t, path, o)
	return s, stop
}

// open is OpenStore. end ends the writer, and does not wait for it.
func open(t testing.TB, path string, o sqlite.Options) (s *sqlite.Store, end, stop func()) {
	t.Helper()
	s, err := sqlite.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
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
	return s, end, stop
}
