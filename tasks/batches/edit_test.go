package batches_test

import (
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/batches"
	"evrun/tasks/control"
	"evrun/tasks/search"
)

// Nobody would handle the new events of a handler that has left the wiring. Its runs stay, and hold up nobody else's.
func TestAnEditLeavesRunsOfHandlersThatHaveLeft(t *testing.T) {
	r := newRig(t)
	r.dead(1, 2)
	on := []events.Pattern{events.MustPattern("a.*")}
	r.id = must(r.store.Register(t.Context(), []store.Registration{{Name: "g", On: on}}, nil))[0].ID
	r.dead(3, 5)
	do := control.Runs{Store: r.store, Emitter: r.em, Do: &tasks.Stored{Store: r.store, Emitter: r.em}}
	b := batches.New(batches.Options{Store: r.store, Emitter: r.em, Actions: []batches.Action{batches.OfEdits(do)}})
	done, err := b.Run(t.Context(), batches.Request{Action: "edit", Options: []byte(`{"set":[{"path":"n","value":0}]}`),
		Selection: search.Selection{Types: []string{"a.*"}}}, quiet)
	if err != nil || done.Total != 5 || done.Done != 5 || done.Changed != 3 {
		t.Errorf("%+v, %v", done, err)
	}
	if counts := r.counts(); counts.Dead != 2 {
		t.Errorf("%+v", counts)
	}
}
