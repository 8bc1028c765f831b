package storetest

import (
	"fmt"
	"testing"
	"time"

	"evrun/store"
)

// claimsAhead: the row of an attempt that was claimed ahead says that it doesn't count, and its settlement says that it does.
func claimsAhead(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "call")[0]
	evs := numbered(5)
	appendAll(t, s, evs...)
	claims := make([]store.Claim, len(evs))
	for i, e := range evs {
		claims[i] = store.Claim{Handler: h.ID, Sequence: e.Sequence, Attempt: 1, At: at, Ahead: i > 0}
	}
	equal(t, "claimed", fmt.Sprint(must(s.Start(ctx, claims))(t)), "[true true true true true]")
	equal(t, "claimed again", fmt.Sprint(must(s.Start(ctx, claims[1:2]))(t)), "[false]")
	for _, r := range must(s.Pending(ctx, h.ID, store.AllSlots, 10))(t) {
		ahead := r.Sequence > 1
		equal(t, "doesn't count", r.Budget >= r.Attempt, ahead)
		equal(t, "says so", r.Reason, map[bool]string{true: "claimed; its attempt may not have begun"}[ahead])
	}

	begun := at.Add(time.Minute)
	settled := func(i int, state store.RunState, ahead bool) store.Settlement {
		out := outside(evs[i], h.ID, 1, state)
		out.Claimed, out.Ahead, out.Started = true, ahead, begun
		return out
	}
	uncounted := settled(3, store.Retrying, true)
	uncounted.Outcome.Uncounted = true
	for _, out := range settle(t, s, settled(0, store.Succeeded, false), settled(1, store.Succeeded, true), settled(2, store.Retrying, true), uncounted) {
		equal(t, "fenced", out.Fenced, false)
	}
	equal(t, "settled again", settle(t, s, settled(1, store.Dead, true))[0].Fenced, true)
	list := runs(t, s, store.RunQuery{Oldest: true})
	for i, want := range []struct {
		state   store.RunState
		budget  int
		started time.Time
	}{{store.Succeeded, 0, at}, {store.Succeeded, 0, begun}, {store.Retrying, 0, begun}, {store.Retrying, 1, begun}, {store.Running, 1, at}} {
		what := fmt.Sprint("run ", i+1, ": ")
		equal(t, what+"state", list[i].State, want.state)
		equal(t, what+"budget", list[i].Budget, want.budget)
		equal(t, what+"started", list[i].StartedAt, want.started)
	}
	equal(t, "history", must(s.Attempts(ctx, store.AttemptQuery{Run: list[2].ID}))(t)[0].StartedAt, begun)
}

// withdrawn: a claim that is taken back leaves nothing, and only if its attempt has not begun.
func withdrawn(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "call", "other")
	evs := numbered(8)
	appendAll(t, s, evs...)
	claim := func(seq int64, ahead bool) store.Claim {
		return store.Claim{Handler: h[0].ID, Sequence: seq, Attempt: 1, At: at, Ahead: ahead}
	}
	other := store.Claim{Handler: h[1].ID, Sequence: 3, Attempt: 1, At: at, Ahead: true}
	all := []store.Claim{claim(3, true), claim(4, false), claim(5, true), claim(6, true), claim(7, true)}
	must(s.Start(ctx, append(all, other)))(t)
	done := outside(evs[4], h[0].ID, 1, store.Retrying)
	done.Claimed, done.Ahead, done.Outcome.Uncounted = true, true, true
	settle(t, s, done)
	for range 2 {
		if err := s.Withdraw(ctx, all[:4]); err != nil {
			t.Fatal(err)
		}
		left := []string{}
		for _, r := range runs(t, s, store.RunQuery{Oldest: true}) {
			left = append(left, fmt.Sprint(r.Handler, r.Sequence, r.State))
		}
		equal(t, "left", fmt.Sprint(left), "[other3 running call4 running call5 retrying call7 running]")
	}
	equal(t, "claimed once more", fmt.Sprint(must(s.Start(ctx, []store.Claim{claim(2, false), claim(3, true), claim(7, true)}))(t)), "[true true false]")
}
