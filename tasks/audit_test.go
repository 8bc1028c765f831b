package tasks_test

import (
	"errors"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks/audit"
	"evrun/tasks/control"
)

func TestActionsOnHandlersAreRecordedOnce(t *testing.T) {
	c := newTally()
	clock := now()
	file := path(t)
	opt := sqlite.Options{Options: store.Options{Now: clock.Now}}
	d := startWith(t, file, opt, counting("a", "1", c))
	d.replace()
	d.emitNumbered(1, 3)
	clock.pass(2 * time.Hour)
	d.stop()
	d = startWith(t, file, opt, counting("a", "1", c))
	ada := audit.With(t.Context(), audit.Actor{UID: 1000, User: "ada"})
	if _, err := d.runner.Resume(ada, "nobody", true); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("resume of an unknown handler: %v", err)
	}
	for range 2 { // the second time it is not paused
		if _, err := d.runner.Resume(ada, "a", true); err != nil {
			t.Error(err)
		}
	}
	told := d.told(events.TypeAuditHandlerResumed)
	if len(told) != 1 || told[0]["who"] != "ada (uid 1000)" || told[0]["handler"] != "a" || told[0]["skipped_events"] != 3.0 {
		t.Errorf("resumed: %v", told)
	}
	if _, err := d.runner.Forget(ada, "a"); !errors.Is(err, store.ErrActive) {
		t.Errorf("forget of an active handler: %v", err)
	}
	if told := d.told(events.TypeAuditHandlerForgotten); len(told) != 0 {
		t.Errorf("a refused action: %v", told)
	}
	d.replace()
	for {
		_, err := d.runner.Forget(ada, "a")
		if err == nil {
			break
		}
		if !errors.Is(err, control.ErrLeaving) {
			t.Fatal(err)
		}
		wait(time.Millisecond)
	}
	if told := d.told(events.TypeAuditHandlerForgotten); len(told) != 1 || told[0]["uid"] != 1000.0 || told[0]["skipped_events"] != nil {
		t.Errorf("forgotten: %v", told)
	}
}
