package storetest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"evrun/store"
)

// history returns attempts of the run of a handler on an event.
func history(t *testing.T, s store.Store, sequence int64, handler string, q store.AttemptQuery) []store.Attempt {
	t.Helper()
	q.Run = store.RunID(sequence, handler, s.ID())
	return must(s.Attempts(ctx, q))(t)
}

// printed is an output with some text of each kind.
func printed(n int) *store.Output {
	return &store.Output{Status: fmt.Sprint("exit status ", n), Headers: "a: b\nc: d\n", Streams: []store.Stream{
		{Name: "stdout", Head: "é\x00\n'" + strings.Repeat("x", n*n%9000), Tail: "the end", Omitted: 1 << 40},
		{Name: "stderr", Head: fmt.Sprint("line ", n, "\n")},
	}}
}

func outputs(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "other", "h")[1]
	evs := numbered(2)
	appendAll(t, s, evs...)
	for i, state := range []store.RunState{store.Retrying, store.Retrying, store.Dead} {
		x := outside(evs[0], h.ID, i+1, state)
		if i != 1 {
			x.Output = printed(i)
		}
		settle(t, s, x)
	}
	late := outside(evs[0], h.ID, 1, store.Succeeded)
	late.Output = printed(99)
	equal(t, "a late one", settle(t, s, late)[0].Fenced, true)

	got := history(t, s, 1, "h", store.AttemptQuery{})
	equal(t, "attempts", len(got), 3)
	for i, state := range []store.RunState{store.Retrying, store.Retrying, store.Dead} {
		equal(t, "number", got[i].Number, i+1)
		equal(t, "state", got[i].State, state)
		equal(t, "error", got[i].Error, fmt.Sprintf("attempt %d failed", i+1))
		want := printed(i)
		if i == 1 {
			want = nil
		}
		if !reflect.DeepEqual(got[i].Output, want) {
			t.Errorf("attempt %d: %+v, want %+v", i+1, got[i].Output, want)
		}
	}
	equal(t, "the last two", history(t, s, 1, "h", store.AttemptQuery{Limit: 2})[0].Number, 2)
	equal(t, "before the second", fmt.Sprint(numbersOf(history(t, s, 1, "h", store.AttemptQuery{Before: 2}))), "[1]")

	silent := outside(evs[1], h.ID, 1, store.Succeeded)
	settle(t, s, silent)
	equal(t, "of a run without output", len(history(t, s, 2, "h", store.AttemptQuery{})), 0)
}

func numbersOf(attempts []store.Attempt) []int {
	list := make([]int, len(attempts))
	for i, a := range attempts {
		list[i] = a.Number
	}
	return list
}

// manyOutputs: outputs of attempts that are settled together belong to their runs, and those that are fenced off leave nothing.
func manyOutputs(t *testing.T, d Driver) {
	const n = 90
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	evs := numbered(n)
	appendAll(t, s, evs...)
	var claims []store.Claim
	var list []store.Settlement
	for i, e := range evs {
		x := outside(e, h, 1, store.Succeeded)
		x.Claimed, x.Started = true, at.Add(time.Duration(i)*time.Second)
		if i%8 != 3 {
			x.Output = printed(i)
		}
		if i%40 != 7 {
			claims = append(claims, store.Claim{Handler: h, Sequence: e.Sequence, Attempt: 1, At: at})
		}
		list = append(list, x)
	}
	must(s.Start(ctx, claims))(t)
	for i, out := range settle(t, s, list...) {
		equal(t, fmt.Sprint("fenced ", i), out.Fenced, i%40 == 7)
	}
	for i, e := range evs {
		if i%40 == 7 {
			continue
		}
		got := history(t, s, e.Sequence, "h", store.AttemptQuery{})
		equal(t, fmt.Sprint("attempts of ", i), len(got), map[bool]int{true: 1}[i%8 != 3])
		if len(got) == 1 && (got[0].State != store.Succeeded || !got[0].StartedAt.Equal(list[i].Started) || got[0].FinishedAt.IsZero() ||
			!reflect.DeepEqual(got[0].Output, printed(i))) {
			t.Errorf("run %d: %+v", i, got[0])
		}
	}
	// The run of an event that was fenced off begins later, and has nothing of it.
	must(s.Start(ctx, []store.Claim{{Handler: h, Sequence: evs[7].Sequence, Attempt: 1, At: at}}))(t)
	equal(t, "after a fence", len(history(t, s, evs[7].Sequence, "h", store.AttemptQuery{})), 0)
}

// partialOutputs: an output that was kept while its attempt ran is there after a kill, and its settlement replaces it.
func partialOutputs(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	evs := numbered(3)
	appendAll(t, s, evs...)
	must(s.Start(ctx, []store.Claim{{Handler: h, Sequence: 1, Attempt: 1, At: at}, {Handler: h, Sequence: 2, Attempt: 1, At: at}}))(t)
	keep := func(sequence int64, attempt, n int) {
		t.Helper()
		if err := s.KeepOutputs(ctx, []store.Partial{{Handler: h, Sequence: sequence, Attempt: attempt, Started: at, Output: printed(n)}}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		keep(1, 1, n)
		keep(2, 1, n)
	}
	keep(1, 2, 9) // has not begun
	keep(3, 1, 9) // nor has its run
	got := history(t, s, 1, "h", store.AttemptQuery{})
	equal(t, "attempts", len(got), 1)
	equal(t, "state", got[0].State, store.Running)
	equal(t, "finished", got[0].FinishedAt.IsZero(), true)
	equal(t, "output", got[0].Output.Status, "exit status 2")

	whole, killed := outside(evs[0], h, 1, store.Succeeded), outside(evs[1], h, 1, store.Retrying)
	whole.Claimed, whole.Output, killed.Claimed = true, printed(5), true
	settle(t, s, whole, killed)
	keep(1, 1, 9) // too late
	got = history(t, s, 1, "h", store.AttemptQuery{})
	equal(t, "state after the end", got[0].State, store.Succeeded)
	equal(t, "output after the end", got[0].Output.Status, "exit status 5")
	got = history(t, s, 2, "h", store.AttemptQuery{})
	equal(t, "state after a kill", got[0].State, store.Retrying)
	equal(t, "error after a kill", got[0].Error, "attempt 1 failed")
	equal(t, "output after a kill", got[0].Output.Status, "exit status 2")
}
