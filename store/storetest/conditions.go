package storetest

import (
	"fmt"
	"testing"

	"evrun/store"
)

// skippedBy settles runs in all ways that a store may take: many at once, alone, as a later attempt, and with a condition that changes.
func skippedBy(t *testing.T, d Driver) {
	told := map[string]string{}
	s := d.Open(t, store.Options{WantRuns: func() bool { return true }, OnCommit: func(c store.Commit) {
		for _, r := range c.Runs {
			told[r.ID] = r.When
		}
	}})
	h := register(t, s, "h", "other")
	evs := numbered(210)
	appendAll(t, s, evs...)
	outcome := func(i int, h store.HandlerID, state store.RunState, when string) store.Settlement {
		return store.Settlement{Event: evs[i], Handler: h, Attempt: 1, Started: at, When: when, Outcome: store.Outcome{State: state}}
	}
	var list []store.Settlement
	for i := range 200 {
		switch {
		case i%10 == 0:
			list = append(list, outcome(i, h[0].ID, store.Succeeded, "data.n > 1"))
		case i < 100:
			list = append(list, outcome(i, h[0].ID, store.Skipped, "data.n > 1"))
		default:
			list = append(list, outcome(i, h[0].ID, store.Skipped, "data.n > 2"))
		}
	}
	settle(t, s, list...)
	settle(t, s, outcome(200, h[0].ID, store.Skipped, "data.n > 1"))
	settle(t, s, outcome(201, h[0].ID, store.Skipped, ""))
	settle(t, s, outcome(202, h[0].ID, store.Retrying, "data.n > 3"))
	later := outcome(202, h[0].ID, store.Skipped, "data.n > 4")
	later.Attempt = 2
	settle(t, s, later)
	joining := outcome(204, h[0].ID, store.Succeeded, "data.n > 1")
	joining.Joins = []int64{204}
	settle(t, s, joining)
	settle(t, s, outcome(0, h[1].ID, store.Dead, "data.n > 1"))

	for _, r := range runs(t, s, store.RunQuery{Oldest: true}) {
		want := ""
		switch n := r.Sequence - 1; {
		case r.State != store.Skipped || n == 201 || r.Joined != 0:
		case n == 202:
			want = "data.n > 4"
		case n < 100 || n == 200:
			want = "data.n > 1"
		default:
			want = "data.n > 2"
		}
		equal(t, fmt.Sprint("the condition of run ", r.ID, ", which is ", r.State), r.When, want)
		equal(t, "as it was told", told[r.ID], want)
		equal(t, "found alone", must(s.FindRun(ctx, r.ID))(t).When, want)
	}
	equal(t, "failed attempts", must(s.FindRun(ctx, store.RunID(203, "h", s.ID())))(t).Failed, 1)
	equal(t, "failed attempts", must(s.FindRun(ctx, store.RunID(1, "other", s.ID())))(t).Failed, 1)
	equal(t, "failed attempts", must(s.FindRun(ctx, store.RunID(1, "h", s.ID())))(t).Failed, 0)
}
