package replay_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/batches"
	"evrun/tasks/emitter"
	"evrun/tasks/replay"
	"evrun/tasks/schema"
	"evrun/tasks/search"
	"evrun/tasks/taskstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// system is a store with handlers on order.*.
type system struct {
	*taskstest.Daemon
	t *testing.T
	r *replay.Replayer
}

func handler(name, was string) *tasks.Handler {
	return &tasks.Handler{Name: name, Was: was, On: []events.Pattern{events.MustPattern("order.*")}, Action: outside{}, Version: name + was}
}

type outside struct{}

func (outside) Do(context.Context, *tasks.Delivery) (any, error) { return nil, nil }

func start(t *testing.T, path string, handlers ...*tasks.Handler) *system {
	t.Helper()
	d := taskstest.Start(t, taskstest.Options{Path: path, Store: sqlite.Options{Unwatched: true}, Tasks: tasks.Options{Handlers: handlers}})
	return &system{Daemon: d, t: t, r: &replay.Replayer{Store: d.Store, Emitter: d.Emitter}}
}

func (s *system) orders(n int) []*events.Event {
	s.t.Helper()
	evs := make([]*events.Event, n)
	for i := range evs {
		evs[i] = &events.Event{Type: "order.placed", Source: "/shop", ID: fmt.Sprint(i), Data: fmt.Appendf(nil, `{"n":%d}`, i), Extensions: map[string]any{"level": int64(2)}}
	}
	if _, err := s.Emitter.Emit(s.t.Context(), evs...); err != nil {
		s.t.Fatal(err)
	}
	return evs
}

// runs waits until a handler has so many runs that have ended, and returns them.
func (s *system) runs(handler string, n int) []store.Run {
	s.t.Helper()
	for ticker := time.Tick(5 * time.Millisecond); ; <-ticker {
		list, err := s.Store.Runs(s.t.Context(), store.RunQuery{Handler: handler, Oldest: true, Limit: 100_000})
		if err != nil {
			s.t.Fatal(err)
		}
		if ended := slices.DeleteFunc(list, func(r store.Run) bool { return !r.State.Ended() }); len(ended) >= n {
			return ended
		}
	}
}

func (s *system) replay(handler string, again bool, of ...*events.Event) []replay.Replay {
	s.t.Helper()
	done, err := s.r.Events(s.t.Context(), handler, of, again, false)
	if err != nil {
		s.t.Fatal(err)
	}
	return done
}

func TestAReplayRunsOneHandlerOnce(t *testing.T) {
	s := start(t, "", handler("save", ""), handler("mail", ""))
	evs := s.orders(3)
	s.runs("save", 3)
	s.runs("mail", 3)
	s.Emitter.Declare([]emitter.EventType{{Type: "order.placed", Schema: refusing(t)}}, false) // newer than the events
	done := s.replay("save", false, evs[0], evs[2])
	for i, of := range []*events.Event{evs[0], evs[2]} {
		e := done[i].Event
		if done[i].Duplicate || e.ReplayOf != of.Sequence || e.Target != "save" || string(e.Data) != string(of.Data) || e.Time != of.Time || e.CausationID != of.ID ||
			e.Chain != e.Sequence || e.Source != "/evrun/"+s.Store.ID()+"/replay" || e.Extensions["level"] != int64(2) {
			t.Errorf("%+v", e)
		}
	}
	again := s.replay("save", false, evs...)
	if !again[0].Duplicate || again[0].Sequence != done[0].Sequence || again[1].Duplicate || !again[2].Duplicate {
		t.Errorf("%+v", again)
	}
	if save, mail := s.runs("save", 6), s.runs("mail", 3); len(save) != 6 || len(mail) != 3 {
		t.Errorf("%d and %d runs", len(save), len(mail))
	}
	for n := 2; n < 5; n++ {
		if e := s.replay("save", true, evs[0])[0]; e.Duplicate || e.Event.ID != fmt.Sprintf("%d-save#%d", evs[0].Sequence, n) {
			t.Errorf("deliberately: %+v", e.Event)
		}
	}
	// A replay of a replay is one of another event.
	if e := s.replay("save", false, done[0].Event)[0]; e.Duplicate || e.Event.ReplayOf != done[0].Sequence {
		t.Errorf("of a replay: %+v", e.Event)
	}
	if n := len(s.runs("save", 10)); n != 10 {
		t.Errorf("%d runs", n)
	}
}

// Two takeovers may wait at the same time, whatever the order of the names.
func TestAHandlerKnowsWhatItsPredecessorsPredecessorReplayed(t *testing.T) {
	for _, names := range [][3]string{{"z", "b", "c"}, {"a", "b", "c"}, {"b", "z", "a"}} {
		s := start(t, "", handler(names[0], ""))
		e := s.orders(1)[0]
		s.runs(names[0], 1)
		s.replay(names[0], false, e)
		for i := 1; i < 3; i++ {
			wired := []store.Registration{{Name: names[i], Was: names[i-1], Later: true, On: []events.Pattern{events.MustPattern("order.*")}}}
			if _, err := s.Store.Register(t.Context(), wired, nil); err != nil {
				t.Fatal(err)
			}
		}
		if again := s.replay(names[2], false, e)[0]; !again.Duplicate {
			t.Errorf("%v: replayed twice: %+v", names, again.Event)
		}
	}
}

func refusing(t *testing.T) *schema.Schema {
	t.Helper()
	s, faults := schema.Compile(map[string]any{"type": "string"})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return s
}

func TestReplaysThatCantBe(t *testing.T) {
	p := filepath.Join(t.TempDir(), "evrun.db")
	s := start(t, p, handler("save", ""), handler("left", ""))
	e := s.orders(1)[0]
	other := &events.Event{Type: "user.created"}
	if _, err := s.Emitter.Emit(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Runner.Replace(t.Context(), []*tasks.Handler{handler("save", "")}, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"left": store.ErrNotActive, "sav": store.ErrNotFound, "": store.ErrNotFound} {
		if _, err := s.r.Events(t.Context(), name, []*events.Event{e}, false, false); !errors.Is(err, want) {
			t.Errorf("by %q: %v", name, err)
		}
	}
	var differs *replay.NotMatchingError
	if _, err := s.r.Events(t.Context(), "save", []*events.Event{e, other}, false, false); !errors.As(err, &differs) || !strings.Contains(err.Error(), "order.*") {
		t.Errorf("of another type: %v", err)
	}
	if done, err := s.r.Events(t.Context(), "save", []*events.Event{e}, false, true); err != nil || done[0].Sequence != 0 {
		t.Errorf("a dry run: %+v, %v", done, err)
	}
	if n := len(s.runs("save", 1)); n != 1 {
		t.Errorf("%d runs", n)
	}
}

func (s *system) batch() (*batches.Batches, batches.Request) {
	b := batches.New(batches.Options{Store: s.Store, Emitter: s.Emitter, Actions: []batches.Action{s.r.Action()}})
	return b, batches.Request{Action: "replay", To: "save", Selection: search.Selection{Types: []string{"order.placed", "user.*"}}}
}

var errStop = errors.New("stop")

func TestABatchOfReplaysGoesOnWhereItWasStopped(t *testing.T) {
	s := start(t, "", handler("save", ""), handler("mail", ""))
	evs := s.orders(1700)
	s.replay("save", false, evs[7])
	b, ask := s.batch()
	look, err := b.Preview(t.Context(), ask)
	if err != nil || look.Count != 1700 {
		t.Fatalf("%d events: %v", look.Count, err)
	}
	stopped, err := b.Run(t.Context(), ask, func(now store.Batch) error {
		if now.Done == 1000 {
			return errStop
		}
		return nil
	})
	if !errors.Is(err, errStop) || stopped.Done != 1000 || stopped.Changed != 999 {
		t.Fatalf("%+v, %v", stopped, err)
	}
	// The handler is renamed, and a person begins anew under its new name before the rest is done.
	if _, err := s.Runner.Replace(t.Context(), []*tasks.Handler{handler("keep", "save"), handler("mail", "")}, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	anew := ask
	anew.To = "keep"
	done, err := b.Run(t.Context(), anew, func(store.Batch) error { return nil })
	if err != nil || done.Total != 1700 || done.Changed != 700 {
		t.Errorf("anew: %+v, %v", done, err)
	}
	rest, err := b.Resume(t.Context(), stopped.ID, func(store.Batch) error { return nil })
	if err != nil || rest.Done != 1700 || rest.Changed != 999 {
		t.Errorf("the rest: %+v, %v", rest, err)
	}
	times := map[int64]int{}
	all := s.runs("save", 0)
	for all = append(all, s.runs("keep", 3400-len(all))...); len(all) < 3400; all = append(s.runs("save", 0), s.runs("keep", 0)...) {
		<-time.After(5 * time.Millisecond) // the handler took the rest over meanwhile
	}
	of := map[int64]int64{}
	for q := (store.EventQuery{}); ; {
		page, err := s.Store.Events(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			of[e.Sequence] = cmp.Or(e.ReplayOf, e.Sequence)
		}
		q.After = page[len(page)-1].Sequence
	}
	for _, run := range all {
		times[of[run.Sequence]]++
	}
	for _, e := range evs {
		if times[e.Sequence] != 2 { // once as it came, and once again
			t.Errorf("#%d has %d runs", e.Sequence, times[e.Sequence])
		}
	}
	if n := len(s.runs("mail", 1700)); n != 1700 {
		t.Errorf("%d runs of the other handler", n)
	}
	anew.Options = []byte(`{"again":true}`)
	if done, err = b.Run(t.Context(), anew, func(store.Batch) error { return nil }); err != nil || done.Changed != 1700 {
		t.Errorf("deliberately: %+v, %v", done, err)
	}
}

func TestASelectionHasTheTypesOfTheHandler(t *testing.T) {
	s := start(t, "", handler("save", ""))
	s.orders(3)
	if _, err := s.Emitter.Emit(t.Context(), &events.Event{Type: "user.created"}); err != nil {
		t.Fatal(err)
	}
	b, ask := s.batch()
	ask.Selection = search.Selection{}
	ask.All = true
	if look, err := b.Preview(t.Context(), ask); err != nil || look.Count != 3 {
		t.Errorf("%d events: %v", look.Count, err)
	}
	ask.To = "sav"
	if _, err := b.Preview(t.Context(), ask); !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), `"save"`) {
		t.Errorf("by an unknown handler: %v", err)
	}
	ask.To, ask.Options = "save", []byte(`{"again":1}`)
	var wrong *batches.RequestError
	if _, err := b.Preview(t.Context(), ask); !errors.As(err, &wrong) {
		t.Errorf("with wrong options: %v", err)
	}
}
