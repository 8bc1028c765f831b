package emitter_test

import (
	"errors"
	"strings"
	"testing"

	"evrun/events"
	"evrun/tasks/emitter"
	"evrun/tasks/taskstest"
)

// Evrun's own events have predictable ids. Their sources are refused from outside, so that nobody can take an id first; another
// evrun may send on its own.
func TestOwnSourcesAreRefusedFromOutside(t *testing.T) {
	d := taskstest.Start(t, taskstest.Options{})
	own := "/evrun/" + d.Store.ID()
	for source, accepted := range map[string]bool{
		own: false, own + "/": false, own + "/schedules/nightly": false, own + "/handlers/pay": false, own + "/else": false,
		own + "x": true, "/evrun/aaaaaaaa/schedules/nightly": true, "/evrun": true, "/evrun/emit": true, "/schedules/nightly": true, "": true,
	} {
		_, err := d.Emitter.Emit(t.Context(), &events.Event{Type: "a", Source: source, ID: "2026-12-24T18:00:00Z"})
		var refused *emitter.RefusedError
		switch {
		case accepted && err != nil:
			t.Errorf("%q: %v", source, err)
		case !accepted && (!errors.As(err, &refused) || !strings.Contains(err.Error(), own) || !strings.Contains(err.Error(), "choose another")):
			t.Errorf("%q: %v", source, err)
		}
	}
}
