package tasks_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/taskstest"
)

// TestAttemptThatIgnoresItsEndIsLeft stops a runner whose handler does not return when its context ends. Run waits for the grace period and the last
// call, and then returns an error that names the handler. A later result of the attempt changes nothing: the run stays in state running in the store,
// and the next start counts the attempt as failed.
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
		if err := d.ended; err == nil || err.Error() != "handler deaf: 1 of its attempts were still running after the grace period; the next start counts them as failed" {
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

// bubble is a daemon in a synctest bubble.
type bubble struct {
	*daemon
	ended error // the result of the runner's Run
}

// inBubble is start for tests in a bubble: it keeps the runner's error.
func inBubble(t *testing.T, file string, handlers ...*tasks.Handler) *bubble {
	t.Helper()
	p := taskstest.Start(t, taskstest.Options{Path: file, Tasks: tasks.Options{Handlers: handlers, Grace: 200 * time.Millisecond}})
	b := &bubble{daemon: &daemon{t: t, store: p.Store, bus: p.Bus, commits: p.Commits, emitter: p.Emitter, runner: p.Runner}}
	b.stop = func() { b.ended = p.Stop() }
	return b
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
