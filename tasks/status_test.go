package tasks_test

import (
	"context"
	"testing"
	"time"

	"evrun/tasks"
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
