package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"evrun/store"
)

func pending(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "call", "other")
	evs := numbered(5)
	appendAll(t, s, evs...)
	retrying := func(i int, due time.Duration) store.Settlement {
		x := outside(evs[i], h[0].ID, 1, store.Retrying)
		x.Outcome.NextAttemptAt = at.Add(due)
		return x
	}
	settle(t, s, retrying(0, 3*time.Hour), retrying(1, time.Hour), outside(evs[2], h[0].ID, 1, store.Succeeded),
		outside(evs[3], h[0].ID, 1, store.Dead), outside(evs[4], h[1].ID, 1, store.Retrying))
	must(s.Start(ctx, []store.Claim{{Handler: h[0].ID, Sequence: 5, Attempt: 1, At: at}}))(t)
	var order []int64
	for _, r := range must(s.Pending(ctx, h[0].ID, store.AllSlots, 10))(t) {
		order = append(order, r.Sequence)
	}
	equal(t, "order", fmt.Sprint(order), "[5 2 1]")
	equal(t, "limit", len(must(s.Pending(ctx, h[0].ID, store.AllSlots, 2))(t)), 2)
	counts := must(s.Counts(ctx))(t)
	equal(t, "counts", counts["call"], store.Counts{Running: 1, Retrying: 2, Dead: 1})
	equal(t, "counts of the other", counts["other"], store.Counts{Retrying: 1})
}

func attempts(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	e := event("a.b", "1")
	appendAll(t, s, e)
	settle(t, s, outside(e, h.ID, 1, store.Retrying))
	settle(t, s, outside(e, h.ID, 2, store.Retrying))
	settle(t, s, outside(e, h.ID, 3, store.Succeeded))
	r := runs(t, s, store.RunQuery{})[0]
	equal(t, "error of a success", r.Error, "")
	got := must(s.Attempts(ctx, store.AttemptQuery{Run: r.ID}))(t)
	equal(t, "attempts", len(got), 2)
	equal(t, "first", got[0].Number, 1)
	equal(t, "second", got[1].Error, "attempt 2 failed")
}

func pendingAfter(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h", "other")
	for i := range 6 {
		e := event("a.b", fmt.Sprint(i))
		appendAll(t, s, e)
		due := outside(e, h[i/5].ID, 1, store.Retrying)
		due.Outcome.NextAttemptAt = at.Add(-time.Duration(i) * time.Hour)
		if i == 2 {
			due = outside(e, h[0].ID, 1, store.Dead)
		}
		settle(t, s, due)
	}
	appendAll(t, s, event("a.b", "started"))
	must(s.Start(ctx, []store.Claim{{Handler: h[0].ID, Sequence: 7, Attempt: 1, At: at}}))(t)
	for _, c := range []struct {
		after int64
		limit int
		want  string
	}{{0, 10, "[1 2 4 5 7]"}, {0, 3, "[1 2 4]"}, {4, 3, "[5 7]"}, {7, 3, "[]"}} {
		sequences := []int64{}
		for _, r := range must(s.PendingAfter(ctx, h[0].ID, c.after, c.limit))(t) {
			sequences = append(sequences, r.Sequence)
		}
		equal(t, fmt.Sprint("after ", c.after), fmt.Sprint(sequences), c.want)
	}
}

func runPages(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h-1", "other", "h")
	for i := range 4 {
		e := event("a.b", strconv.Itoa(i))
		appendAll(t, s, e)
		states := []store.RunState{store.Dead, store.Succeeded, store.Retrying}
		for j, x := range h {
			settle(t, s, outside(e, x.ID, 1, states[(i+j)%3]))
		}
	}
	ids := func(q store.RunQuery) (ids []string) {
		for _, r := range runs(t, s, q) {
			ids = append(ids, r.ID)
		}
		return ids
	}
	all := ids(store.RunQuery{})
	equal(t, "runs", len(all), 12)
	for limit := 1; limit <= 5; limit++ { // pages end in the middle of an event's runs
		var paged []string
		for q := (store.RunQuery{Limit: limit}); ; q.AfterID = paged[len(paged)-1] {
			page := ids(q)
			if paged = append(paged, page...); len(page) == 0 {
				break
			}
		}
		equal(t, "paged", fmt.Sprint(paged), fmt.Sprint(all))
	}
	forth, back := ids(store.RunQuery{Oldest: true, Limit: 7}), []string{}
	forth = append(forth, ids(store.RunQuery{Oldest: true, AfterID: forth[6]})...)
	for i := len(all) - 3; i >= 0; i -= 3 { // the runs of one event keep their order
		back = append(back, all[i:i+3]...)
	}
	equal(t, "oldest first", fmt.Sprint(forth), fmt.Sprint(back))
	equal(t, "dead", len(ids(store.RunQuery{States: []store.RunState{store.Dead}})), 4)
	equal(t, "dead or retrying", len(ids(store.RunQuery{States: []store.RunState{store.Dead, store.Retrying}})), 8)
	equal(t, "dead and retrying", len(ids(store.RunQuery{State: store.Dead, States: []store.RunState{store.Retrying}})), 0)
	tally := must(s.TallyRuns(ctx, store.RunQuery{Handler: "other", State: store.Dead}, 100))(t)
	found := runs(t, s, store.RunQuery{Handler: "other", State: store.Dead})[0]
	equal(t, "tally", fmt.Sprintf("%+v %v", tally.Items, tally.End), fmt.Sprintf("%+v true",
		[]store.RunTally{{Handler: "other", State: store.Dead, Type: "a.b", Error: found.Error, Count: 1, Newest: found.Sequence}}))
	// A page begins after a run that was dropped meanwhile, too.
	dead := ids(store.RunQuery{State: store.Dead})
	must(s.Drop(ctx, store.Change{Query: store.RunQuery{ID: dead[0]}}))(t)
	equal(t, "after a dropped run", fmt.Sprint(ids(store.RunQuery{State: store.Dead, AfterID: dead[0]})), fmt.Sprint(dead[1:]))
	if _, err := s.Runs(ctx, store.RunQuery{AfterID: "nonsense"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after a nonsense id: %v", err)
	}
}
