package replay_test

import (
	"testing"

	"evrun/store"
	"evrun/tasks/batches"
	"evrun/tasks/search"
)

// The events of selected runs go through the handlers of these runs again, and through no other.
func TestRunsRunAgain(t *testing.T) {
	s := start(t, "", handler("save", ""), handler("mail", ""))
	s.orders(230)
	saved := s.runs("save", 230)
	s.runs("mail", 230)
	b := batches.New(batches.Options{Store: s.Store, Emitter: s.Emitter, Actions: []batches.Action{s.r.RunsAgain()}})
	again := func(sel search.Selection, want int) {
		t.Helper()
		done, err := b.Run(t.Context(), batches.Request{Action: "rerun", Selection: sel}, func(store.Batch) error { return nil })
		if err != nil || done.Changed != want || done.Done != want {
			t.Errorf("%+v: %d of %d, %v; want %d", sel, done.Changed, done.Done, err, want)
		}
	}
	again(search.Selection{Handler: "save"}, 230)
	again(search.Selection{IDs: []string{saved[0].ID, saved[229].ID}}, 2)
	for i, r := range s.runs("save", 462) {
		if i >= 230 && r.State != store.Succeeded {
			t.Errorf("%+v", r)
		}
	}
	if n := len(s.runs("mail", 230)); n != 230 {
		t.Errorf("mail has %d runs", n)
	}
}
