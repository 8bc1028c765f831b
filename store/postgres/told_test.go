package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest/steps"
)

// Each change that people make is told to the other processes, which may have in memory what it changes.
func TestOtherProcessesAreToldOfChanges(t *testing.T) {
	address := postgrestest.Database(t)
	told := make(chan store.Foreign, 100)
	opened := func(opt store.Options) store.Store {
		s, err := postgres.Open(t.Context(), address, postgres.Options{Options: opt})
		if err != nil {
			t.Fatal(err)
		}
		running(t, s)
		return s
	}
	opened(store.Options{OnForeign: func(f store.Foreign) { told <- f }})
	s := opened(store.Options{})
	ctx := t.Context()
	// expect waits for what the other process must be told after do.
	expect := func(what, want string, do error) {
		t.Helper()
		if do != nil {
			t.Fatalf("%s: %v", what, do)
		}
		end := time.After(10 * time.Second)
		for {
			select {
			case f := <-told:
				var runs []string
				for _, r := range f.Runs {
					runs = append(runs, fmt.Sprintf("%s %d %v cancelling %v due %v", r.Handler, r.Sequence, r.State, r.Cancelling, !r.NextAttemptAt.IsZero()))
				}
				if got := fmt.Sprint(runs, f.Handlers, f.Schedules, f.Tokens); got != want {
					t.Errorf("%s: told %s, want %s", what, got, want)
				}
				return
			case <-end:
				t.Fatalf("%s: nothing was told", what)
			}
		}
	}
	did := func(_ any, err error) error { return err }
	wiring := []store.Registration{{Name: "h", On: onAll}}
	expect("registered", "[] true false false", did(s.Register(ctx, wiring, nil)))
	expect("paused", "[] true false false", did(s.Pause(ctx, "h", store.Pause{}, nil)))
	expect("resumed", "[] true false false", did(s.Resume(ctx, "h", 0, nil)))
	if err := did(s.Register(ctx, wiring, nil)); err != nil { // says nothing new
		t.Fatal(err)
	}
	expect("a token", "[] false false true", s.CreateToken(ctx, store.Token{Name: "t", Hash: []byte("h")}, nil))
	expect("no token", "[] false false true", s.RevokeToken(ctx, "t", nil))
	mark := []store.ScheduleMark{{Name: "tick", Since: steps.At, Slot: steps.At}}
	expect("a slot", "[] false true false", did(s.FireSlots(ctx, mark, nil)))
	expect("a mark", "[] false true false", s.SaveMarks(ctx, mark, nil))
	evs := []*events.Event{steps.Event("a.b", "1"), steps.Event("a.b", "2")}
	if err := did(s.Append(ctx, evs)); err != nil {
		t.Fatal(err)
	}
	q := func(state store.RunState) store.Change {
		return store.Change{Query: store.RunQuery{Handler: "h", State: state, Sequence: 1}}
	}
	expect("cancelled", "[h 1 cancelled cancelling false due false] false false false", did(s.Cancel(ctx, q(store.Waiting))))
	expect("retried", "[h 1 retrying cancelling false due true] false false false", did(s.Retry(ctx, q(store.Cancelled))))
	if err := did(s.Start(ctx, []store.Claim{{Handler: 1, Sequence: 1, Attempt: 1, At: steps.At}})); err != nil {
		t.Fatal(err)
	}
	marked := q(store.Running)
	marked.Live = map[string]bool{"h": true}
	expect("marked", "[h 1 running cancelling true due false] false false false", did(s.Cancel(ctx, marked)))
	dead := steps.Outside(evs[1], 1, 1, store.Dead)
	if err := did(s.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{dead}})); err != nil {
		t.Fatal(err)
	}
	with := map[string]*events.Event{store.RunID(2, "h", s.ID()): steps.Event("a.b", "again")}
	expect("sent again", "[h 2 dropped cancelling false due false] false false false", did(s.Resend(ctx, store.Change{}, with)))
}

// A daemon that has the new name waits until the one with the old name has ended.
func TestATakeoverOverDaemons(t *testing.T) {
	address := postgrestest.Database(t)
	told := make(chan store.Foreign, 100)
	daemon := func(name string) *postgres.Store {
		s, err := postgres.Open(t.Context(), address, postgres.Options{Options: store.Options{Node: &store.Node{Name: name}, OnForeign: func(f store.Foreign) { told <- f }}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := daemon("a"), daemon("b")
	end := run(t, a)
	running(t, b)
	tell := must(a.Register(t.Context(), []store.Registration{{Name: "tell", On: onAll}}, nil))(t)[0]
	must(a.Append(t.Context(), []*events.Event{steps.Event("a.b", "1")}))(t)
	lease := must(a.Hold(t.Context(), tell, store.Division{}))(t)
	for lease.Take().Gained == nil {
		<-lease.C()
	}
	wiring := []store.Registration{{Name: "announce", On: onAll, Was: "tell"}}
	heir := must(b.Register(t.Context(), wiring, nil))(t)[0]
	equal(t, "waits", heir.Inherits, true)
	equal(t, "tell", must(b.Handlers(t.Context(), "tell"))(t)[0].State, store.Active)
	equal(t, "tell is elsewhere", must(b.Handlers(t.Context(), "tell"))(t)[0].Elsewhere, true)
	for len(told) > 0 {
		<-told
	}
	end()
	for f := range told {
		if f.Handlers {
			break
		}
	}
	heir = must(b.Register(t.Context(), wiring, nil))(t)[0]
	equal(t, "took", heir.Took, true)
	equal(t, "waits no longer", heir.Inherits, false)
	equal(t, "its mark", heir.LowWater, 0)
}
