package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// inside settles an attempt by inserting a user.
func inside(e *events.Event, h store.HandlerID, attempt int, email string) store.Settlement {
	return store.Settlement{Event: e, Handler: h, Attempt: attempt, Started: at, Insert: &store.UserInsert{User: store.User{Name: "Ada", Email: email, EventID: e.ID}, Then: stored}}
}

// stored is the outcome of a settlement that inserts a user.
func stored(_ store.User, err error) store.Outcome {
	if err != nil {
		return store.Outcome{State: store.Dead, Error: err.Error()}
	}
	return store.Outcome{State: store.Succeeded}
}

func effectCommits(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "save")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	out := settle(t, s, inside(e, h.ID, 1, "ada@example.com"))
	equal(t, "state", out[0].State, store.Succeeded)
	r := runs(t, s, store.RunQuery{})[0]
	equal(t, "stored state", r.State, store.Succeeded)
	equal(t, "handler", r.Handler, "save")
	equal(t, "event", r.EventID, "1")
	equal(t, "type", r.Type, "a.b")
	equal(t, "attempt", r.Attempt, 1)
	equal(t, "id", r.ID, store.RunID(1, "save", s.ID()))
	equal(t, "started", r.StartedAt, at)
	equal(t, "found by id", must(s.FindRun(ctx, r.ID))(t).Sequence, 1)
	equal(t, "users", must(s.CountUsers(ctx))(t), 1)
}

func effectUndone(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "save")[0]
	e1, e2, e3 := event("a.b", "1"), event("a.b", "2"), event("a.b", "3")
	appendAll(t, s, e1, e2, e3)
	twice := inside(e2, h.ID, 1, "grace@example.com")
	twice.Insert.Then = func(store.User, error) store.Outcome {
		return store.Outcome{State: store.Retrying, Error: "changed its mind", NextAttemptAt: at.Add(time.Hour)}
	}
	out := settle(t, s, inside(e1, h.ID, 1, "ada@example.com"), twice, inside(e3, h.ID, 1, "ada@example.com"))
	equal(t, "first", out[0].State, store.Succeeded)
	equal(t, "second", out[1].State, store.Retrying)
	equal(t, "third", out[2].State, store.Dead)
	equal(t, "users", must(s.CountUsers(ctx))(t), 1)
	list := runs(t, s, store.RunQuery{})
	equal(t, "runs", len(list), 3)
	equal(t, "dead: error", list[0].Error == "", false)
	equal(t, "retrying: error", list[1].Error, "changed its mind")
	equal(t, "retrying: next", list[1].NextAttemptAt, at.Add(time.Hour))
}

func emission(t *testing.T, d Driver) {
	var published []int64
	s := d.Open(t, store.Options{OnCommit: func(c store.Commit) {
		for _, e := range c.Events {
			published = append(published, e.Sequence)
		}
	}})
	h := register(t, s, "save")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	child := event("b.c", "child")
	settle(t, s, store.Settlement{Event: e, Handler: h.ID, Attempt: 1, Started: at,
		Outcome: store.Outcome{State: store.Succeeded, Emit: []*events.Event{child}}})
	equal(t, "sequence", child.Sequence, 2)
	equal(t, "in the journal", must(s.Event(ctx, "child"))(t).Type, "b.c")
	equal(t, "published", fmt.Sprint(published), "[1 2]")
}

func clash(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "save")[0]
	e, other := event("a.b", "1"), event("a.b", "2")
	appendAll(t, s, e, other, event("b.c", "taken"))
	good := inside(e, h.ID, 1, "good@example.com")
	bad := inside(other, h.ID, 1, "bad@example.com")
	bad.Insert.Then = func(u store.User, err error) store.Outcome {
		out := stored(u, err)
		out.Emit = []*events.Event{event("b.c", "new"), event("b.c", "taken")}
		return out
	}
	_, err := s.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{good, bad}})
	if !errors.Is(err, store.ErrClash) || !strings.Contains(err.Error(), "#3") {
		t.Errorf("settled: %v", err)
	}
	equal(t, "head", must(s.Head(ctx))(t), 3)
	equal(t, "users", must(s.CountUsers(ctx))(t), 0)
	equal(t, "runs", len(runs(t, s, store.RunQuery{})), 0)
	equal(t, "the good one alone", settle(t, s, good)[0].State, store.Succeeded)
}

func fencing(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "save")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	equal(t, "the first", settle(t, s, outside(e, h.ID, 1, store.Retrying))[0].Fenced, false)
	equal(t, "the first again", settle(t, s, outside(e, h.ID, 1, store.Succeeded))[0].Fenced, true)
	equal(t, "the third before the second", settle(t, s, outside(e, h.ID, 3, store.Succeeded))[0].Fenced, true)
	late := inside(e, h.ID, 1, "late@example.com")
	equal(t, "a late effect", settle(t, s, late)[0].Fenced, true)
	equal(t, "users", must(s.CountUsers(ctx))(t), 0)
	equal(t, "the second", settle(t, s, outside(e, h.ID, 2, store.Succeeded))[0].Fenced, false)
	equal(t, "the second again", settle(t, s, outside(e, h.ID, 2, store.Dead))[0].Fenced, true)
	equal(t, "state", runs(t, s, store.RunQuery{})[0].State, store.Succeeded)
}

func claims(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "call")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	claim := func(attempt int) bool {
		return must(s.Start(ctx, []store.Claim{{Handler: h.ID, Sequence: 1, Attempt: attempt, At: at}}))(t)[0]
	}
	equal(t, "first claim", claim(1), true)
	r := runs(t, s, store.RunQuery{State: store.Running})
	equal(t, "running", len(r), 1)
	equal(t, "not finished", r[0].FinishedAt.IsZero(), true)
	failed := outside(e, h.ID, 1, store.Retrying)
	failed.Claimed = true
	equal(t, "settled", settle(t, s, failed)[0].Fenced, false)
	equal(t, "second claim", claim(2), true)
	done := outside(e, h.ID, 2, store.Succeeded)
	done.Claimed = true
	equal(t, "settled", settle(t, s, done)[0].Fenced, false)
	equal(t, "a claim on what is over", claim(3), false)
}

func claimOnce(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "call")[0]
	appendAll(t, s, event("a.b", "1"))
	c := store.Claim{Handler: h.ID, Sequence: 1, Attempt: 1, At: at}
	got := must(s.Start(ctx, []store.Claim{c, c}))(t)
	equal(t, "claims", fmt.Sprint(got), "[true false]")
	c.Attempt = 2
	equal(t, "the second while the first runs", must(s.Start(ctx, []store.Claim{c}))(t)[0], false)
}

func claimedOnly(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "call")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	must(s.Start(ctx, []store.Claim{{Handler: h.ID, Sequence: 1, Attempt: 1, At: at}}))(t)
	equal(t, "without a claim", settle(t, s, outside(e, h.ID, 1, store.Succeeded))[0].Fenced, true)
	equal(t, "an effect without a claim", settle(t, s, inside(e, h.ID, 1, "x@example.com"))[0].Fenced, true)
	equal(t, "users", must(s.CountUsers(ctx))(t), 0)
}

func uncounted(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	for attempt, wanted := range []int{1, 1, 2} {
		ended := outside(e, h.ID, attempt+1, store.Retrying)
		ended.Outcome.Uncounted = attempt != 1
		equal(t, "fenced", settle(t, s, ended)[0].Fenced, false)
		equal(t, "budget", must(s.Pending(ctx, h.ID, store.AllSlots, 1))(t)[0].Budget, wanted)
	}
	equal(t, "history", len(must(s.Attempts(ctx, store.AttemptQuery{Run: runs(t, s, store.RunQuery{})[0].ID}))(t)), 3)
}
