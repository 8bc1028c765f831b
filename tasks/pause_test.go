package tasks_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/control"
)

// pauseHandler pauses h.
func (d *daemon) pauseHandler() {
	d.t.Helper()
	if _, paused, err := d.runner.Pause(context.Background(), "h", "no mail"); err != nil || !paused {
		d.t.Fatalf("paused: %v, %v", paused, err)
	}
}

func (d *daemon) resumeHandler() {
	d.t.Helper()
	if done, err := d.runner.Resume(context.Background(), "h", false); err != nil || !done.Done {
		d.t.Fatalf("resumed: %+v, %v", done, err)
	}
}

// stateOf returns the status of h.
func (d *daemon) stateOf() control.HandlerStatus {
	d.t.Helper()
	list, err := d.runner.HandlerStatuses(context.Background())
	if err != nil || len(list) != 1 {
		d.t.Fatalf("%+v, %v", list, err)
	}
	return list[0]
}

// A paused handler finishes its running attempt and begins nothing; what was claimed ahead, retries, and new events wait, over a restart, too. Then all
// of it runs, in order.
func TestAPausedHandlerBeginsNothing(t *testing.T) {
	p := path(t)
	action := newHolder()
	handler := func() *tasks.Handler {
		return &tasks.Handler{Name: "h", On: on("a"), Action: action, Concurrency: 1, Version: "1"}
	}
	d := start(t, p, handler())
	d.emit("a", "1")
	d.emit("a", "2")
	<-action.begun
	d.pauseHandler()
	d.emit("a", "3")
	if s := d.stateOf(); s.State != control.StatePaused || s.Pause == nil || s.Pause.Why != "no mail" || *s.Waiting != 2 || !s.Replacing {
		t.Errorf("%+v, %+v", s, s.Pause)
	}
	action.release <- struct{}{}
	d.settled(1)
	if _, err := d.runner.Replace(t.Context(), []*tasks.Handler{{Name: "h", On: on("a"), Action: action, Concurrency: 1, Version: "2"}}, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	if _, paused, err := d.runner.Pause(t.Context(), "h", ""); err != nil || paused {
		t.Errorf("paused again: %v, %v", paused, err)
	}
	d.stop()
	d = start(t, p, handler())
	if s := d.stateOf(); s.State != control.StatePaused || s.Pause == nil || *s.Waiting != 2 {
		t.Errorf("%+v, %+v", s, s.Pause)
	}
	select {
	case id := <-action.begun:
		t.Errorf("%s has begun", id)
	default:
	}
	d.resumeHandler()
	for _, want := range []string{"2", "3"} {
		if id := <-action.begun; id != want {
			t.Errorf("%s has begun, want %s", id, want)
		}
		action.release <- struct{}{}
	}
	d.settled(3)
}

// Retries of a paused handler wait, as dead runs do that are retried; they run when it is resumed.
func TestRetriesOfAPausedHandlerWait(t *testing.T) {
	begun := make(chan int, 10)
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Retry: tasks.Retry{Attempts: 1},
		Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			begun <- d.Attempt
			if d.Attempt < 3 {
				return nil, errors.New("no")
			}
			return nil, nil
		})})
	e := d.emit("a", "1")
	<-begun
	d.becomes(e, store.Dead)
	d.pauseHandler()
	for range 2 { // the second time it is retrying
		if _, err := d.changes().Retry(t.Context(), d.idOf(e)); err != nil {
			t.Fatal(err)
		}
	}
	if run := d.becomes(e, store.Retrying); run.Reason != "waits for its handler, which is paused" {
		t.Errorf("%+v", run)
	}
	d.cancel(e)
	if _, err := d.changes().Retry(t.Context(), d.idOf(e)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-begun:
		t.Error("an attempt has begun")
	default:
	}
	d.resumeHandler()
	<-begun
	d.becomes(e, store.Dead)
	if _, err := d.changes().Retry(t.Context(), d.idOf(e)); err != nil {
		t.Fatal(err)
	}
	<-begun
	d.becomes(e, store.Succeeded)
}

// A disabled handler keeps its place; enabled by a reload, it continues there.
func TestADisabledHandlerWaits(t *testing.T) {
	begun := make(chan string, 10)
	handler := func(version string, disabled bool) *tasks.Handler {
		return &tasks.Handler{Name: "h", On: on("a"), Version: version, Disabled: disabled,
			Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
				begun <- d.Event.ID
				return nil, nil
			})}
	}
	d := start(t, path(t), handler("1", true))
	d.emit("a", "1")
	if s := d.stateOf(); s.State != control.StateDisabled || *s.Waiting != 1 || s.Pause == nil || s.Pause.Since == nil {
		t.Errorf("%+v, %+v", s, s.Pause)
	}
	if _, err := d.runner.Resume(t.Context(), "h", false); !errors.Is(err, control.ErrDisabled) {
		t.Errorf("resume: %v", err)
	}
	if _, err := d.runner.Replace(t.Context(), []*tasks.Handler{handler("2", false)}, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	if id := <-begun; id != "1" {
		t.Errorf("%s has begun", id)
	}
	d.settled(1)
}

// Handlers are paused and resumed while events come as fast as they can: none is lost, none is handled twice, and none begins during a pause.
func TestPausesUnderFullLoad(t *testing.T) {
	const rounds, each = 20, 50
	var paused atomic.Bool
	var during atomic.Int64
	check := func() {
		if paused.Load() {
			during.Add(1)
		}
	}
	for name, h := range map[string]*tasks.Handler{
		"inside": {Action: insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
			return saveUser(d)
		})},
		"outside": {Concurrency: 4, Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
			check()
			return nil, nil
		})},
		"ordered": {Concurrency: 4, OrderBy: constant(t, "event.subject"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
			check()
			return nil, nil
		})},
	} {
		t.Run(name, func(t *testing.T) {
			h.Name, h.On = "h", on("x")
			d := start(t, path(t), h)
			emitted := make(chan struct{})
			go func() {
				defer close(emitted)
				for range rounds * each / 10 {
					emitSubjects(t, d, 10, 7)
				}
			}()
			for range rounds {
				d.pauseHandler()
				for d.stateOf().Replacing { // until its running attempts have ended
					wait(time.Millisecond)
				}
				paused.Store(true)
				wait(time.Millisecond)
				paused.Store(false)
				d.resumeHandler()
			}
			<-emitted
			runs := d.settled(rounds * each)
			if len(runs) != rounds*each {
				t.Errorf("%d runs", len(runs))
			}
			for _, r := range runs {
				if r.State != store.Succeeded || r.Attempt != 1 {
					t.Errorf("%+v", r)
				}
			}
			if n := during.Load(); n > 0 {
				t.Errorf("%d attempts have begun during a pause", n)
			}
		})
	}
}
