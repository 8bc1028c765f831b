package storetest

import (
	"fmt"
	"slices"
	"testing"

	"evrun/events"
	"evrun/store"
)

func joins(t *testing.T, d Driver) {
	var told []store.Run
	s := d.Open(t, store.Options{WantRuns: func() bool { return true }, OnCommit: func(c store.Commit) { told = append(told, c.Runs...) }})
	h := register(t, s, "h", "other")
	evs := numbered(9)
	appendAll(t, s, evs...)
	joined := func(sequence int64) string { return fmt.Sprint(must(s.Joined(ctx, h[0].ID, sequence))(t)) }

	claim := store.Claim{Handler: h[0].ID, Sequence: 3, Attempt: 1, At: at, Joins: []int64{1, 2}}
	equal(t, "claimed", must(s.Start(ctx, []store.Claim{claim}))(t)[0], true)
	equal(t, "joined", joined(3), "[1 2]")
	both := []store.Claim{{Handler: h[1].ID, Sequence: 3, Attempt: 1, At: at, Joins: []int64{1}}, {Handler: h[1].ID, Sequence: 4, Attempt: 1, At: at}}
	equal(t, "claimed together", fmt.Sprint(must(s.Start(ctx, both))(t)), "[true true]")
	equal(t, "joined by the other handler", fmt.Sprint(must(s.Joined(ctx, h[1].ID, 3))(t)), "[1]")
	claim.Joins = []int64{4}
	equal(t, "claimed again", must(s.Start(ctx, []store.Claim{claim}))(t)[0], false)
	equal(t, "joined", joined(3), "[1 2]")

	failed := outside(evs[5], h[0].ID, 1, store.Retrying)
	failed.Joins = []int64{5}
	settle(t, s, failed)
	equal(t, "joined by a run that failed", joined(6), "[5]")
	settle(t, s, failed)
	late := outside(evs[5], h[0].ID, 2, store.Dead)
	late.Joins = []int64{9}
	settle(t, s, late)
	equal(t, "joined by later attempts", joined(6), "[5]")

	effect := store.Settlement{Event: evs[7], Handler: h[0].ID, Attempt: 1, Started: at, Joins: []int64{7}, Insert: &store.UserInsert{
		User: store.User{Name: "x", Email: "x@example.com"},
		Then: func(_ store.User, err error) store.Outcome {
			return store.Outcome{State: store.Dead, Error: fmt.Sprint(err)}
		},
	}}
	settle(t, s, effect)
	equal(t, "joined by an effect that was undone", joined(8), "[7]")

	equal(t, "of another handler", len(must(s.Joined(ctx, h[1].ID, 6))(t)), 0)
	stored := runs(t, s, store.RunQuery{Sequence: 2, Handler: "h"})[0]
	equal(t, "state", stored.State, store.Skipped)
	equal(t, "joined", stored.Joined, 3)
	equal(t, "runs", len(runs(t, s, store.RunQuery{})), 10)
	i := slices.IndexFunc(told, func(r store.Run) bool { return r.Sequence == 2 })
	if i < 0 || told[i] != stored {
		t.Errorf("reported %+v, and stored %+v", told, stored)
	}
}

func bySequence(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	var evs []*events.Event
	for i := range 2000 {
		evs = append(evs, event([]string{"a", "b"}[i%2], fmt.Sprint(i+1)))
	}
	appendAll(t, s, evs...)
	for _, test := range []struct {
		q    store.EventQuery
		want string
	}{
		{store.EventQuery{Sequences: []int64{1999, 3, 5, 7}}, "[3 5 7 1999]"},
		{store.EventQuery{Sequences: []int64{1999, 3, 5, 7}, After: 3, Limit: 2}, "[5 7]"},
		{store.EventQuery{Sequences: []int64{3, 4, 4000}}, "[3 4]"},
		{store.EventQuery{Sequences: []int64{}}, "[]"},
	} {
		var got []int64
		for _, e := range must(s.Events(ctx, test.q))(t) {
			got = append(got, e.Sequence)
		}
		equal(t, fmt.Sprintf("%+v", test.q), fmt.Sprint(got), test.want)
	}
}
