package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
)

// aimed publishes an event for one handler alone, as a replay does.
func (d *daemon) aimed(id, handler string) *events.Event {
	d.t.Helper()
	e := &events.Event{Type: "a", ID: id, Source: "/x", Target: handler, ReplayOf: 1, CorrelationID: id, Data: []byte(`{"key":"k"}`)}
	if _, err := d.store.Append(context.Background(), []*events.Event{e}); err != nil {
		d.t.Fatal(err)
	}
	return e
}

func TestATargetedEventRunsOneHandler(t *testing.T) {
	ordered, burst := doNothing("ordered", "1"), doNothing("burst", "1")
	var err error
	if ordered.OrderBy, err = expression.Compile(`data.key`, expression.HandlerWhen); err != nil {
		t.Fatal(err)
	}
	burst.Debounce = &tasks.Debounce{Wait: time.Millisecond}
	elsewhere := doNothing("elsewhere", "1")
	elsewhere.On = on("b")
	d := start(t, path(t), doNothing("plain", "1"), ordered, burst, elsewhere)
	for _, name := range []string{"plain", "ordered", "burst"} {
		e := d.aimed("for-"+name, name)
		if c, n := d.follow(e); n != 1 || !c.Matched {
			t.Errorf("%d runs for %s: %+v", n, name, c)
		}
		all, err := d.store.Runs(t.Context(), store.RunQuery{Sequence: e.Sequence})
		if err != nil || len(all) != 1 || all[0].Handler != name {
			t.Errorf("runs of the event for %s: %+v, %v", name, all, err)
		}
	}
	if c, n := d.follow(d.aimed("1", "elsewhere")); n != 0 || c.Matched {
		t.Errorf("a handler of another type had %d runs", n)
	}
	_, err = d.store.Append(t.Context(), []*events.Event{{Type: "a", ID: "2", Source: "/x", Target: "nobody"}})
	if !errors.Is(err, store.ErrNotActive) {
		t.Errorf("for nobody: %v", err)
	}
}

// Events that wait for a handler which is renamed meanwhile go to it under its new name, whether they are in memory or not.
func TestTargetedEventsFollowARenamedHandler(t *testing.T) {
	p := path(t)
	release := make(chan struct{})
	stuck := func(name string) *tasks.Handler {
		return &tasks.Handler{Name: name, Version: name, On: on("a"), Concurrency: 1, Action: outsideFunc(func(ctx context.Context, _ *tasks.Delivery) (any, error) {
			select {
			case <-release:
			case <-ctx.Done():
			}
			return nil, ctx.Err()
		})}
	}
	d := start(t, p, stuck("tell"), doNothing("other", "1"))
	for i := range 50 {
		d.aimed(fmt.Sprint(i), "tell")
	}
	heir := doNothing("announce", "1")
	heir.Was = "tell"
	if _, err := d.runner.Replace(t.Context(), []*tasks.Handler{heir, doNothing("other", "1")}, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	close(release)
	all := d.settled(50)
	if i := slices.IndexFunc(all, func(r store.Run) bool { return r.Handler == "other" || r.State != store.Succeeded }); i >= 0 {
		t.Errorf("run %+v", all[i])
	}
	heir.Was = "" // the file says so no longer
	d.stop()
	d = start(t, p, heir, doNothing("other", "1"))
	d.aimed("last", "announce")
	if d.settled(51); d.runs("other") != 0 {
		t.Errorf("%d runs of the other handler", d.runs("other"))
	}
}

// runs counts the runs of a handler.
func (d *daemon) runs(handler string) int {
	d.t.Helper()
	all, err := d.store.Runs(context.Background(), store.RunQuery{Handler: handler})
	if err != nil {
		d.t.Fatal(err)
	}
	return len(all)
}

func TestSendersCantTargetEvents(t *testing.T) {
	d := start(t, path(t), doNothing("plain", "1"))
	var refused *emitter.RefusedError
	_, err := d.emitter.Emit(t.Context(), &events.Event{Type: "a", Target: "plain"})
	if !errors.As(err, &refused) || d.runs("plain") != 0 {
		t.Errorf("accepted: %v", err)
	}
	e := &events.Event{Type: "a", ReplayOf: 7}
	if _, err := d.emitter.Emit(t.Context(), e); err != nil || e.ReplayOf != 0 {
		t.Errorf("%+v: %v", e, err)
	}
}
