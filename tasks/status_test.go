package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"evrun/tasks"
	"evrun/tasks/control"
)

// stuckLog is an action whose log is read by nobody.
type stuckLog struct{ begun, end chan struct{} }

func (s *stuckLog) Compute(*tasks.Delivery) (any, error) {
	close(s.begun)
	<-s.end
	return nil, nil
}

// A handler that is stuck in the daemon's log keeps nobody from seeing how all of them are.
func TestStatusDoesNotWaitForAStuckLog(t *testing.T) {
	s := &stuckLog{make(chan struct{}), make(chan struct{})}
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: s})
	d.emit("a", "1")
	<-s.begun
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if list, err := d.runner.HandlerStatuses(ctx); err != nil || len(list) != 1 || list[0].Behind != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if running := d.runner.InFlight(ctx); ctx.Err() != nil || len(running) != 0 {
		t.Errorf("%v, %v", running, ctx.Err())
	}
	close(s.end)
	d.settled(1)
}

// An overview has the events of each handler's own, what came of its last runs, and comes while a worker is stuck: it then has the last answer.
func TestOverview(t *testing.T) {
	file := path(t)
	s := &stuckLog{make(chan struct{}), make(chan struct{})}
	handlers := []*tasks.Handler{
		{Name: "idle", On: on("never"), Action: nothing{}},
		{Name: "fails", On: on("b"), Action: broken{}, Retry: tasks.Retry{Attempts: 1}},
		{Name: "works", On: on("b"), Action: nothing{}},
	}
	d := start(t, file, append(handlers, &tasks.Handler{Name: "stuck", On: on("a"), Action: s})...)
	for i := range 5 {
		d.emit("b", fmt.Sprint("b", i))
	}
	d.settled(10)
	of := func(d *daemon) map[string]control.HandlerStatus {
		t.Helper()
		list, err := d.runner.Overview(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]control.HandlerStatus{}
		for _, h := range list {
			all[h.Name] = h
		}
		return all
	}
	ended := func(h control.HandlerStatus) bool { return h.Rate != nil && *h.Rate == 5 }
	before := of(d)
	for deadline := time.Now().Add(hang); !ended(before["fails"]) || !ended(before["works"]); before = of(d) { // the workers get the store's answers
		if time.Now().After(deadline) {
			t.Fatalf("%+v", before)
		}
		wait(time.Millisecond)
	}
	d.emit("a", "1")
	d.emit("a", "2")
	<-s.begun
	for _, all := range []map[string]control.HandlerStatus{before, of(d)} {
		for name, want := range map[string]string{"idle": "", "fails": "dead", "works": "succeeded"} {
			h := all[name]
			if h.Last == nil && want != "" || h.Last != nil && h.Last.State != want {
				t.Errorf("%s: the last result is %+v", name, h.Last)
			}
			if h.Waiting == nil || *h.Waiting != 0 || h.AtMost || h.Rate == nil || want == "" && *h.Rate != 0 || want != "" && *h.Rate != 5 || h.Silent {
				t.Errorf("%s: %+v", name, h)
			}
			if failed := h.LastError; (failed != nil) != (name == "fails") || failed != nil && failed.Error != "it is broken" {
				t.Errorf("%s: the last error is %+v", name, failed)
			}
		}
	}
	if h := of(d)["stuck"]; !h.Silent || h.Waiting == nil || *h.Waiting != 2 {
		t.Errorf("stuck: %+v", h)
	}
	close(s.end)
	d.settled(12)
	d.stop()

	// After a restart the store has them.
	d = start(t, file, handlers...)
	all := of(d)
	if h := all["fails"]; h.Last == nil || h.Last.State != "dead" || h.LastError == nil || h.LastError.Error != "it is broken" || *h.Rate != 0 {
		t.Errorf("fails: %+v", h)
	}
	if h := all["works"]; h.Last == nil || h.Last.State != "succeeded" || h.LastError != nil {
		t.Errorf("works: %+v", h)
	}
}

// broken is an action whose attempts fail.
type broken struct{}

func (broken) Do(context.Context, *tasks.Delivery) (any, error) {
	return nil, errors.New("it is broken\nat line 1")
}
