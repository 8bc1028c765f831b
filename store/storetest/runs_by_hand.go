package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"evrun/store"
)

func retry(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	settle(t, s, outside(e, h.ID, 1, store.Dead))
	id := runs(t, s, store.RunQuery{})[0].ID
	got := must(s.Retry(ctx, store.Change{Query: store.RunQuery{ID: id}}))(t)
	equal(t, "retried", len(got), 1)
	equal(t, "state", got[0].State, store.Retrying)
	equal(t, "budget", got[0].Budget, 1)
	equal(t, "same id", got[0].ID, id)
	equal(t, "pending", len(must(s.Pending(ctx, h.ID, store.AllSlots, 10))(t)), 1)
	equal(t, "next attempt", settle(t, s, outside(e, h.ID, 2, store.Succeeded))[0].Fenced, false)
	equal(t, "history", len(must(s.Attempts(ctx, store.AttemptQuery{Run: id}))(t)), 1)
}

func retryOnlyDead(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e1, e2 := event("a.b", "1"), event("a.b", "2")
	appendAll(t, s, e1, e2)
	settle(t, s, outside(e1, h.ID, 1, store.Retrying), outside(e2, h.ID, 1, store.Succeeded))
	equal(t, "retried", len(must(s.Retry(ctx, store.Change{}))(t)), 0)
	equal(t, "dropped", len(must(s.Drop(ctx, store.Change{}))(t)), 0)
	equal(t, "runs", len(runs(t, s, store.RunQuery{})), 2)
	if _, err := s.Retry(ctx, store.Change{Query: store.RunQuery{ID: "nonsense"}}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a nonsense id: %v", err)
	}
}

// retryAgain lets a run die between its selection by a retry and the change.
func retryAgain(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	settle(t, s, outside(e, h.ID, 1, store.Dead))
	const rounds = 50
	var wg sync.WaitGroup
	var mu sync.Mutex
	retried := map[int]int{} // how often a retry gave an attempt
	for range 4 {
		wg.Go(func() {
			for {
				runs, err := s.Retry(ctx, store.Change{})
				if err != nil {
					t.Error(err)
					return
				}
				if len(runs) == 0 {
					mu.Lock()
					over := len(retried) >= rounds
					mu.Unlock()
					if over {
						return
					}
					continue
				}
				attempt := runs[0].Attempt + 1
				mu.Lock()
				retried[attempt]++
				mu.Unlock()
				out, err := s.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{outside(e, h.ID, attempt, store.Dead)}})
				if err != nil || out[0].Fenced {
					t.Errorf("attempt %d of a retried run: fenced, %v", attempt, err)
					return
				}
				if attempt > rounds {
					return
				}
			}
		})
	}
	wg.Wait()
	for attempt, n := range retried {
		equal(t, fmt.Sprint("retries that gave attempt ", attempt), n, 1)
	}
}

func drop(t *testing.T, d Driver) {
	var mu sync.Mutex
	var published []store.Run
	s := d.Open(t, store.Options{WantRuns: func() bool { return true }, OnCommit: func(c store.Commit) {
		mu.Lock()
		defer mu.Unlock()
		published = append(published, c.Runs...)
	}})
	h := register(t, s, "h", "other")
	e := event("a.b", "1")
	appendAll(t, s, e)
	settle(t, s, outside(e, h[0].ID, 1, store.Dead), outside(e, h[1].ID, 1, store.Dead))
	id := store.RunID(1, "h", s.ID())
	for _, want := range []int{1, 0} { // the second time it is dropped already
		equal(t, "dropped", len(must(s.Drop(ctx, store.Change{Query: store.RunQuery{Handler: "h"}, By: "ada"}))(t)), want)
		r := must(s.FindRun(ctx, id))(t)
		equal(t, "state", r.State, store.Dropped)
		equal(t, "its name", r.State.String(), "dropped")
		equal(t, "settled", r.State.Ended(), true)
		equal(t, "reason", r.Reason, "dropped by ada; it was dead")
		equal(t, "error", r.Error, "attempt 1 failed")
		equal(t, "history", len(must(s.Attempts(ctx, store.AttemptQuery{Run: id}))(t)), 1)
		equal(t, "published", published[len(published)-1].State, store.Dropped)
		equal(t, "published with its reason", published[len(published)-1].Reason, r.Reason)
	}
	equal(t, "published once", len(published), 3)
	equal(t, "of this state", len(runs(t, s, store.RunQuery{State: store.Dropped})), 1)
	equal(t, "dead", len(runs(t, s, store.RunQuery{State: store.Dead})), 1)
	equal(t, "counts", must(s.Counts(ctx))(t)["h"], store.Counts{})
	equal(t, "retried", len(must(s.Retry(ctx, store.Change{Query: store.RunQuery{ID: id}}))(t)), 0)
	equal(t, "what is left to handle", len(must(s.Events(ctx, store.EventQuery{WithoutRun: h[0].ID}))(t)), 0)
	equal(t, "another attempt", settle(t, s, outside(e, h[0].ID, 2, store.Succeeded))[0].Fenced, true)
	equal(t, "a first one", must(s.Start(ctx, []store.Claim{{Handler: h[0].ID, Sequence: 1, Attempt: 1, At: at}}))(t)[0], false)
}

func dropWaiting(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "gone", "here")
	e1, e2 := event("a.b", "1"), event("a.b", "2")
	appendAll(t, s, e1, e2)
	for _, x := range h {
		settle(t, s, outside(e1, x.ID, 1, store.Retrying))
		must(s.Start(ctx, []store.Claim{{Handler: x.ID, Sequence: 2, Attempt: 1, At: at}}))(t)
	}
	waiting := store.Change{Query: store.RunQuery{States: []store.RunState{store.Running, store.Retrying}}, By: "ada"}
	equal(t, "dropped while their handlers are active", len(must(s.Drop(ctx, waiting))(t)), 0)
	register(t, s, "here")
	equal(t, "dropped, where nobody asked for those that wait", len(must(s.Drop(ctx, store.Change{}))(t)), 0)
	equal(t, "dropped", len(must(s.Drop(ctx, waiting))(t)), 2)
	for _, r := range runs(t, s, store.RunQuery{Handler: "gone"}) {
		equal(t, "state", r.State, store.Dropped)
		equal(t, "reason", r.Reason, "dropped by ada; it was waiting for its handler, which was not wired")
		equal(t, "next attempt", r.NextAttemptAt.IsZero(), true)
	}
	late := outside(e2, h[0].ID, 1, store.Succeeded)
	late.Claimed = true
	equal(t, "an attempt that went on", settle(t, s, late)[0].Fenced, true)
	register(t, s, "gone", "here")
	equal(t, "pending when it comes back", len(must(s.Pending(ctx, h[0].ID, store.AllSlots, 10))(t)), 0)
	equal(t, "pending of the other", len(must(s.Pending(ctx, h[1].ID, store.AllSlots, 10))(t)), 2)
}
