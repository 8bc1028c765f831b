package storetest

import (
	"errors"
	"fmt"
	"testing"

	"evrun/events"
	"evrun/store"
)

func resending(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := wire(t, s, "save", "other")[0]
	evs := numbered(6)
	appendAll(t, s, evs...)
	settle(t, s, outside(evs[0], h.ID, 1, store.Dead), outside(evs[1], h.ID, 1, store.Retrying), outside(evs[2], h.ID, 1, store.Succeeded))
	must(s.Start(ctx, []store.Claim{{Handler: h.ID, Sequence: 4, Attempt: 1, At: at}}))(t)
	id := func(sequence int64) string { return store.RunID(sequence, "save", s.ID()) }
	must(s.Cancel(ctx, byAda(store.RunQuery{ID: id(5)})))(t)
	with := func() map[string]*events.Event {
		m := map[string]*events.Event{}
		for _, e := range evs {
			again := targeted("again-"+e.ID, "save")
			again.ReplayOf = e.Sequence
			m[id(e.Sequence)] = again
		}
		return m
	}
	c := byAda(store.RunQuery{})
	c.Events = []*events.Event{event("audit", "audit")}
	done := must(s.Resend(ctx, c, with()))(t)
	equal(t, "changed", len(done), 3)
	for i, r := range done {
		want := fmt.Sprintf("edited and sent again as #%d by ada: a typo", 7+i)
		equal(t, "reason", r.Reason, want)
		stored := must(s.FindRun(ctx, r.ID))(t)
		equal(t, "state", stored.State, store.Dropped)
		equal(t, "stored reason", stored.Reason, want)
		again := must(s.Events(ctx, store.EventQuery{Sequences: []int64{int64(7 + i)}}))(t)[0]
		equal(t, "the event in its place", again.ReplayOf, r.Sequence)
		equal(t, "its target", again.Target, "save")
	}
	equal(t, "the audit event comes last", must(s.Event(ctx, "audit"))(t).Sequence, 10)
	equal(t, "a late attempt", settle(t, s, outside(evs[1], h.ID, 2, store.Succeeded))[0].Fenced, true)
	equal(t, "a second time", len(must(s.Resend(ctx, c, with()))(t)), 0)
	equal(t, "head", must(s.Head(ctx))(t), 10)

	// Nothing is changed if the event can't be accepted.
	dies := event("a.b", "dies")
	appendAll(t, s, dies)
	settle(t, s, outside(dies, h.ID, 1, store.Dead))
	wire(t, s, "other")
	if _, err := s.Resend(ctx, byAda(store.RunQuery{}), map[string]*events.Event{id(11): targeted("x", "save")}); !errors.Is(err, store.ErrNotActive) {
		t.Errorf("for a handler that has left: %v", err)
	}
	equal(t, "it stays", must(s.FindRun(ctx, id(11)))(t).State, store.Dead)
}
