package storetest

import (
	"errors"
	"fmt"
	"testing"

	"evrun/events"
	"evrun/store"
)

// matching registers handlers that match every event.
func matching(t *testing.T, s store.Store, names ...string) []store.Consumer {
	t.Helper()
	regs := make([]store.Registration, len(names))
	for i, n := range names {
		regs[i] = store.Registration{Name: n, On: []events.Pattern{events.MustPattern(">")}}
	}
	return must(s.Register(ctx, regs, nil))(t)
}

// byAda changes runs in the name of ada.
func byAda(q store.RunQuery) store.Change { return store.Change{Query: q, By: "ada", Why: "a typo"} }

func cancelStored(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := matching(t, s, "h")[0]
	evs := numbered(5)
	appendAll(t, s, evs...)
	settle(t, s, outside(evs[0], h.ID, 1, store.Retrying), outside(evs[1], h.ID, 1, store.Dead), outside(evs[2], h.ID, 1, store.Succeeded))
	must(s.Start(ctx, []store.Claim{{Handler: h.ID, Sequence: 4, Attempt: 1, At: at}}))(t)
	must("", s.KeepOutputs(ctx, []store.Partial{{Handler: h.ID, Sequence: 4, Attempt: 1, Started: at,
		Output: &store.Output{Streams: []store.Stream{{Name: "stdout", Head: "half"}}}}}))(t)
	head := must(s.Head(ctx))(t)
	c := byAda(store.RunQuery{Handler: "h"})
	c.Events = []*events.Event{event("audit", "audit")}
	got := map[int64]store.Run{}
	for _, r := range must(s.Cancel(ctx, c))(t) {
		got[r.Sequence] = r
	}
	equal(t, "cancelled", len(got), 3)
	for sequence, attempt := range map[int64]int{1: 1, 4: 1, 5: 0} {
		r := must(s.FindRun(ctx, store.RunID(sequence, "h", s.ID())))(t)
		equal(t, "state", r.State, store.Cancelled)
		equal(t, "ended", r.State.Ended(), true)
		equal(t, "reason", r.Reason, "cancelled by ada: a typo")
		equal(t, "attempt", r.Attempt, attempt)
		equal(t, "started", r.StartedAt.IsZero(), attempt == 0)
		equal(t, "finished", r.FinishedAt.IsZero(), false)
		equal(t, "next attempt", r.NextAttemptAt.IsZero(), true)
		r.EventID, r.Type, r.Chain = got[sequence].EventID, got[sequence].Type, got[sequence].Chain
		equal(t, "returned", got[sequence].State, r.State)
		equal(t, "returned reason", got[sequence].Reason, r.Reason)
	}
	for sequence, state := range map[int64]store.RunState{1: store.Retrying, 4: store.Cancelled} { // it had failed; a kill had interrupted it
		list := must(s.Attempts(ctx, store.AttemptQuery{Run: store.RunID(sequence, "h", s.ID())}))(t)
		equal(t, "attempts", len(list), 1)
		equal(t, "attempt's state", list[0].State, state)
	}
	equal(t, "pending", len(must(s.Pending(ctx, h.ID, store.AllSlots, 10))(t)), 0)
	equal(t, "left to handle, but for the event", len(must(s.Events(ctx, store.EventQuery{WithoutRun: h.ID}))(t)), 1)
	equal(t, "events", must(s.Head(ctx))(t), head+1)
	late := outside(evs[3], h.ID, 1, store.Succeeded)
	late.Claimed = true
	equal(t, "a late settlement", settle(t, s, late)[0].Fenced, true)
	equal(t, "a retry", settle(t, s, outside(evs[0], h.ID, 2, store.Succeeded))[0].Fenced, true)
	equal(t, "a first attempt", settle(t, s, outside(evs[4], h.ID, 1, store.Succeeded))[0].Fenced, true)
	equal(t, "a claim", must(s.Start(ctx, []store.Claim{{Handler: h.ID, Sequence: 5, Attempt: 1, At: at}}))(t)[0], false)
	c.Query.ID = store.RunID(1, "h", s.ID())
	equal(t, "cancelled again", len(must(s.Cancel(ctx, c))(t)), 0)
	equal(t, "no event where nothing was changed", must(s.Head(ctx))(t), head+1)
	if _, err := s.Cancel(ctx, byAda(store.RunQuery{ID: "nonsense"})); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a nonsense id: %v", err)
	}
}

func cancelRunning(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := matching(t, s, "h")[0]
	evs := numbered(4)
	appendAll(t, s, evs...)
	for i := range evs {
		must(s.Start(ctx, []store.Claim{{Handler: h.ID, Sequence: int64(i + 1), Attempt: 1, At: at, Ahead: i == 3}}))(t)
	}
	c := byAda(store.RunQuery{Handler: "h"})
	c.Live = map[string]bool{"h": true}
	for _, r := range must(s.Cancel(ctx, c))(t) {
		equal(t, "marked", r.Cancelling, true)
		equal(t, "state", r.State, store.Running)
		equal(t, "reason", r.Reason, "being cancelled by ada: a typo")
	}
	for _, r := range must(s.Pending(ctx, h.ID, store.AllSlots, 10))(t) {
		equal(t, "pending is marked", r.Cancelling, true)
	}
	must("", s.Withdraw(ctx, []store.Claim{{Handler: h.ID, Sequence: 4, Attempt: 1, Ahead: true}}))(t)
	claimed := func(i int, out store.Outcome) store.Settlement {
		return store.Settlement{Event: evs[i], Handler: h.ID, Attempt: 1, Started: at, Claimed: true, Ahead: i == 3, Outcome: out}
	}
	notice := event("run.dead", "dead")
	settled := settle(t, s, claimed(0, store.Outcome{State: store.Retrying, Error: "it was stopped", NextAttemptAt: at}),
		claimed(1, store.Outcome{State: store.Dead, Error: "it failed", Emit: []*events.Event{notice}}),
		claimed(2, store.Outcome{State: store.Succeeded}),
		claimed(3, store.Outcome{State: store.Cancelled, Uncounted: true}))
	for i, want := range []struct {
		state    store.RunState
		attempt  int
		attempts int
		reason   string
	}{
		{store.Cancelled, 1, 1, "cancelled by ada: a typo"}, {store.Cancelled, 1, 1, "cancelled by ada: a typo"},
		{store.Succeeded, 1, 0, "it had succeeded before it could be cancelled by ada: a typo"}, {store.Cancelled, 0, 0, "cancelled by ada: a typo"},
	} {
		id := store.RunID(int64(i+1), "h", s.ID())
		r := must(s.FindRun(ctx, id))(t)
		equal(t, "answer", settled[i].State, want.state)
		equal(t, "state", r.State, want.state)
		equal(t, "attempt", r.Attempt, want.attempt)
		equal(t, "reason", r.Reason, want.reason)
		equal(t, "error", r.Error, "")
		equal(t, "attempts", len(must(s.Attempts(ctx, store.AttemptQuery{Run: id}))(t)), want.attempts)
	}
	equal(t, "nothing was emitted", must(s.Head(ctx))(t), 4)
}

// retryCancelled retries runs that were cancelled before, while and after they ran; each has the next attempt, and a new budget.
func retryCancelled(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := matching(t, s, "h")[0]
	evs := numbered(40)
	appendAll(t, s, evs...)
	failed := outside(evs[0], h.ID, 1, store.Retrying)
	settle(t, s, failed)
	equal(t, "cancelled", len(must(s.Cancel(ctx, byAda(store.RunQuery{Handler: "h"})))(t)), 40)
	q := store.RunQuery{Handler: "h", States: []store.RunState{store.Cancelled}}
	got := must(s.Retry(ctx, store.Change{Query: q}))(t)
	equal(t, "retried", len(got), 40)
	for _, r := range must(s.Pending(ctx, h.ID, store.AllSlots, 100))(t) {
		attempt := 0
		if r.Sequence == 1 {
			attempt = 1
		}
		equal(t, "state", r.State, store.Retrying)
		equal(t, "attempt", r.Attempt, attempt)
		equal(t, "budget", r.Budget, attempt)
		equal(t, "reason", r.Reason, "")
	}
	// First attempts that have a row: claimed, one by one and in a group, and settled alike.
	var claims []store.Claim
	for i := 1; i < 40; i++ {
		claims = append(claims, store.Claim{Handler: h.ID, Sequence: int64(i + 1), Attempt: 1, At: at})
	}
	for i, ok := range must(s.Start(ctx, claims))(t) {
		equal(t, fmt.Sprint("claim ", i), ok, true)
	}
	equal(t, "claimed again", must(s.Start(ctx, claims[:1]))(t)[0], false)
	must(s.Cancel(ctx, byAda(store.RunQuery{Handler: "h"})))(t)
	var settlements []store.Settlement
	for i := range evs {
		attempt := 2
		if i >= 20 { // cancelled before they began
			attempt = 1
		}
		settlements = append(settlements, outside(evs[i], h.ID, attempt, store.Succeeded))
	}
	must(s.Retry(ctx, store.Change{Query: q}))(t)
	for i, out := range settle(t, s, settlements[:20]...) {
		equal(t, fmt.Sprint("settled ", i), out.Fenced, false)
	}
	for i, out := range settle(t, s, settlements[20:]...) {
		equal(t, fmt.Sprint("a late first attempt ", i), out.Fenced, true)
	}
}

func retryNow(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := matching(t, s, "h")[0]
	evs := numbered(2)
	appendAll(t, s, evs...)
	settle(t, s, outside(evs[0], h.ID, 1, store.Retrying), outside(evs[1], h.ID, 1, store.Retrying))
	first := must(s.Pending(ctx, h.ID, store.AllSlots, 1))(t)[0]
	got := must(s.Retry(ctx, store.Change{Query: store.RunQuery{IDs: []string{first.ID, "nonsense"}, States: []store.RunState{store.Retrying}}}))(t)
	equal(t, "retried", len(got), 1)
	equal(t, "it", got[0].ID, first.ID)
	r := must(s.FindRun(ctx, first.ID))(t)
	equal(t, "state", r.State, store.Retrying)
	equal(t, "attempt", r.Attempt, 1)
	equal(t, "budget", r.Budget, 0)
	equal(t, "due", r.NextAttemptAt.Equal(first.NextAttemptAt), false)
	must(s.Register(ctx, []store.Registration{}, nil))(t)
	must("", s.Forget(ctx, "h", nil))(t)
	equal(t, "of a forgotten handler", len(must(s.Retry(ctx, store.Change{Query: store.RunQuery{States: []store.RunState{store.Retrying, store.Cancelled}}}))(t)), 0)
}

// waitingRuns are the events after a handler's mark that match and have no run.
func waitingRuns(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := must(s.Register(ctx, []store.Registration{{Name: "h", On: []events.Pattern{events.MustPattern("a.*")}}}, nil))(t)[0]
	appendAll(t, s, event("a.b", "1"), event("other", "2"), event("a.b", "3"), event("a.b", "4"), event("a.c", "5"))
	must(s.Settle(ctx, store.SettleBatch{
		Settlements: []store.Settlement{outside(event("a.b", "1"), h.ID, 1, store.Succeeded)},
		Marks:       []store.Mark{{Handler: h.ID, LowWater: 2}},
	}))
	list := func(q store.WaitingQuery) string {
		c := must(s.Handlers(ctx, "h"))(t)[0]
		sequences := []int64{}
		for _, r := range must(store.WaitingRuns(ctx, s, c, q))(t) {
			equal(t, "state", r.State, store.Waiting)
			sequences = append(sequences, r.Sequence)
		}
		return fmt.Sprint(sequences)
	}
	for _, c := range []struct {
		q    store.WaitingQuery
		want string
	}{
		{store.WaitingQuery{}, "[3 4 5]"}, {store.WaitingQuery{Newest: true}, "[5 4 3]"}, {store.WaitingQuery{Limit: 2}, "[3 4]"},
		{store.WaitingQuery{After: 3, Before: 5}, "[4]"}, {store.WaitingQuery{Sequences: []int64{1, 2, 5}}, "[5]"},
	} {
		equal(t, fmt.Sprintf("%+v", c.q), list(c.q), c.want)
	}
	id := store.RunID(4, "h", s.ID())
	equal(t, "one", must(store.FindWaiting(ctx, s, id))(t).EventID, "4")
	for _, wrong := range []string{store.RunID(2, "h", s.ID()), store.RunID(4, "nobody", s.ID()), store.RunID(4, "h", "aaaaaaaa"), "nonsense"} {
		if _, err := store.FindWaiting(ctx, s, wrong); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	only := func(q store.RunQuery) store.Change {
		q.States = []store.RunState{store.Waiting}
		return byAda(q)
	}
	equal(t, "cancelled by id", len(must(s.Cancel(ctx, only(store.RunQuery{IDs: []string{id}})))(t)), 1)
	equal(t, "the rest", list(store.WaitingQuery{}), "[3 5]")
	equal(t, "cancelled by handler", len(must(s.Cancel(ctx, only(store.RunQuery{Handler: "h", Limit: 1, Oldest: true})))(t)), 1)
	equal(t, "the last", list(store.WaitingQuery{}), "[5]")
}
