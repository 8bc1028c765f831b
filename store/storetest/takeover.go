package storetest

import (
	"errors"
	"fmt"
	"testing"

	"evrun/store"
)

func takingOver(t *testing.T, d Driver) {
	var told []store.Run
	s := d.Open(t, store.Options{WantRuns: func() bool { return true }, OnCommit: func(c store.Commit) { told = append(told, c.Runs...) }})
	old := wire(t, s, "tell")[0]
	evs := numbered(8)
	appendAll(t, s, evs...)
	burst := outside(evs[3], old.ID, 1, store.Retrying)
	burst.Joins, burst.Output = []int64{3}, printed(1)
	settle(t, s, outside(evs[0], old.ID, 1, store.Succeeded), outside(evs[1], old.ID, 1, store.Dead), burst, outside(evs[5], old.ID, 1, store.Succeeded))
	must(s.Start(ctx, []store.Claim{{Handler: old.ID, Sequence: 5, Attempt: 1, At: at}}))(t)
	must(s.Settle(ctx, store.SettleBatch{Marks: []store.Mark{{Handler: old.ID, LowWater: 5}}}))(t)

	regs := []store.Registration{{Name: "announce", On: ab, Was: "tell"}}
	heir := must(s.Register(ctx, regs, nil))(t)[0]
	equal(t, "mark", heir.LowWater, 5)
	equal(t, "took", heir.Took, true)
	equal(t, "took again", must(s.Register(ctx, regs, nil))(t)[0].Took, false)
	equal(t, "the old one", handler(t, s, "tell").State, store.Forgotten)
	b := waiting(t, s, "announce")
	equal(t, "waiting", b.Waiting, 2)
	equal(t, "runs", b.Counts, store.Counts{Running: 1, Retrying: 1, Dead: 1})

	for _, r := range must(s.Pending(ctx, heir.ID, store.AllSlots, 10))(t) {
		equal(t, "id of a pending run", r.ID, store.RunID(r.Sequence, "tell", s.ID()))
		equal(t, "its handler", r.Handler, "announce")
	}
	id := store.RunID(4, "tell", s.ID())
	equal(t, "found", must(s.FindRun(ctx, id))(t).HandlerID, heir.ID)
	equal(t, "selected", runs(t, s, store.RunQuery{ID: id})[0].Handler, "announce")
	past := must(s.Attempts(ctx, store.AttemptQuery{Run: id}))(t)
	equal(t, "history", len(past), 1)
	equal(t, "output", past[0].Output.Size(), printed(1).Size())
	equal(t, "joined", fmt.Sprint(must(s.Joined(ctx, heir.ID, 4))(t)), "[3]")
	equal(t, "joined: id", runs(t, s, store.RunQuery{Sequence: 3})[0].JoinedID(), id)
	equal(t, "a settled run", must(s.FindRun(ctx, store.RunID(1, "tell", s.ID())))(t).Handler, "tell")
	if _, err := s.FindRun(ctx, store.RunID(4, "announce", s.ID())); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("under another name: %v", err)
	}
	var listed []int64
	for q := (store.RunQuery{Limit: 1}); ; {
		page := runs(t, s, q)
		if len(page) == 0 {
			break
		}
		listed = append(listed, page[0].Sequence)
		q.AfterID = page[0].ID
	}
	equal(t, "paged", fmt.Sprint(listed), "[6 5 4 3 2 1]")

	again := outside(evs[3], heir.ID, 2, store.Succeeded)
	again.ID = id
	equal(t, "the next attempt", settle(t, s, again)[0].Fenced, false)
	equal(t, "told", told[len(told)-1].ID, id)
	equal(t, "stored", must(s.FindRun(ctx, id))(t).State, store.Succeeded)
}

func takingOverLater(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	old := wire(t, s, "tell")[0]
	evs := numbered(6)
	appendAll(t, s, evs[:3]...)
	settle(t, s, outside(evs[0], old.ID, 1, store.Succeeded))
	heir := wire(t, s, "announce")[0] // renamed, and nobody said so
	appendAll(t, s, evs[3:]...)
	settle(t, s, outside(evs[4], heir.ID, 1, store.Succeeded))
	must(s.Settle(ctx, store.SettleBatch{Marks: []store.Mark{{Handler: heir.ID, LowWater: 3}}}))(t)
	heir = must(s.Register(ctx, []store.Registration{{Name: "announce", On: ab, Was: "tell"}}, nil))(t)[0]
	equal(t, "mark", heir.LowWater, 0)
	page := must(s.Events(ctx, store.EventQuery{After: heir.LowWater, Patterns: ab, WithoutRun: heir.ID}))(t)
	var left []string
	for _, e := range page {
		left = append(left, e.ID)
	}
	equal(t, "to do", fmt.Sprint(left), "[2 3 4 6]")
}

func takingOverBeside(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	both := wire(t, s, "tell", "announce")
	evs := numbered(3)
	appendAll(t, s, evs...)
	settle(t, s, outside(evs[0], both[0].ID, 1, store.Retrying), outside(evs[1], both[0].ID, 1, store.Retrying), outside(evs[1], both[1].ID, 1, store.Succeeded))
	must(s.Settle(ctx, store.SettleBatch{Marks: []store.Mark{{Handler: both[0].ID, LowWater: 3}}}))(t)
	heir := must(s.Register(ctx, []store.Registration{{Name: "announce", On: ab, Was: "tell"}}, nil))(t)[0]
	equal(t, "mark", heir.LowWater, 0)
	equal(t, "taken", must(s.FindRun(ctx, store.RunID(1, "tell", s.ID())))(t).Handler, "announce")
	equal(t, "one on an event of its own", must(s.FindRun(ctx, store.RunID(2, "tell", s.ID())))(t).Handler, "tell")
}

func takingOverInSteps(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	first := wire(t, s, "one", "other")[0]
	evs := numbered(6)
	appendAll(t, s, evs[:3]...)
	settle(t, s, outside(evs[0], first.ID, 1, store.Retrying), outside(evs[1], first.ID, 1, store.Succeeded))
	later := func(name, was string) store.Registration {
		return store.Registration{Name: name, On: ab, Was: was, Later: true}
	}
	got := must(s.Register(ctx, []store.Registration{later("two", "one"), {Name: "other", On: ab}}, nil))(t)
	equal(t, "took", got[0].Took, false)
	equal(t, "inherits", got[0].Inherits, true)
	equal(t, "the other inherits", got[1].Inherits, false)
	equal(t, "the first", handler(t, s, "one").State, store.Left)
	appendAll(t, s, evs[3:]...)
	// The one that was to have it goes itself, and its heir comes without a word of the first.
	must(s.Register(ctx, []store.Registration{later("three", "two"), {Name: "other", On: ab}}, nil))(t)
	settle(t, s, outside(evs[2], first.ID, 1, store.Dead))
	must(s.Settle(ctx, store.SettleBatch{Marks: []store.Mark{{Handler: first.ID, LowWater: 3}}}))(t)
	three := later("three", "two")
	three.Later = false
	got = must(s.Register(ctx, []store.Registration{three, {Name: "other", On: ab}}, nil))(t)
	equal(t, "took", got[0].Took, true)
	equal(t, "inherits afterwards", got[0].Inherits, false)
	equal(t, "mark", got[0].LowWater, 3)
	equal(t, "waiting", waiting(t, s, "three"), store.Backlog{Waiting: 3, Counts: store.Counts{Retrying: 1, Dead: 1}})
	equal(t, "a run", must(s.FindRun(ctx, store.RunID(1, "one", s.ID())))(t).Handler, "three")
	equal(t, "another", must(s.FindRun(ctx, store.RunID(3, "one", s.ID())))(t).Handler, "three")
	for _, name := range []string{"one", "two"} {
		equal(t, name, handler(t, s, name).State, store.Forgotten)
	}
	equal(t, "the other", handler(t, s, "other").LowWater, 0)
}

func takingOverAPause(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	wire(t, s, "one", "gone")
	appendAll(t, s, numbered(2)...)
	wire(t, s)
	clock.Pass(2 * store.ReturnWithin)
	equal(t, "paused", wire(t, s, "one")[0].Paused, true)
	got := must(s.Register(ctx, []store.Registration{{Name: "two", On: ab, Was: "one"}, {Name: "new", On: ab, Was: "gone"}}, nil))(t)
	equal(t, "the heir of a paused one", got[0].Paused, true)
	equal(t, "its mark", got[0].LowWater, 0)
	// Who names a handler that is gone for long wants its work done.
	equal(t, "the heir of one that is gone", got[1].Paused, false)
	equal(t, "its mark", got[1].LowWater, 0)
	got = must(s.Register(ctx, []store.Registration{{Name: "three", On: ab, Was: "two", FromMark: true}}, nil))(t)
	equal(t, "from mark", got[0].Paused, false)
}

func handedOn(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	old := wire(t, s, "tell")[0]
	evs := numbered(4)
	appendAll(t, s, evs[:2]...)
	settle(t, s, outside(evs[0], old.ID, 1, store.Retrying))
	must(s.Register(ctx, []store.Registration{{Name: "announce", On: ab, Was: "tell"}}, nil))(t)
	appendAll(t, s, evs[2])
	got := must(s.Register(ctx, []store.Registration{{Name: "announce", On: ab}, {Name: "tell", On: ab, FromStart: true}}, nil))(t)
	equal(t, "mark of a name that was handed on", got[1].LowWater, 2)
	appendAll(t, s, evs[3])
	wire(t, s)
	if err := s.Forget(ctx, "tell", nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "mark of a name that was forgotten", wire(t, s, "tell")[0].LowWater, 4)
	got = must(s.Register(ctx, []store.Registration{{Name: "x", On: ab, Was: "never"}}, nil))(t)
	equal(t, "took over from nobody", got[0].Took, false)
}
