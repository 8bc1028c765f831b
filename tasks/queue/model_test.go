package queue

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/storetest"
)

func bySubject(t *Task) (string, error) { return t.Event.Subject, nil }

// due returns the attempts of an ordered handler that must be running. For each key that is the running attempt; otherwise the lowest unfinished
// stored run, if it is due; otherwise the lowest event without a run.
func (r *rig) due() (list []int64) {
	next := map[string]*[3]int64{} // by key: under way, stored, without a run
	for _, e := range r.events {
		if next[e.Subject] == nil {
			next[e.Subject] = &[3]int64{}
		}
		rank := 2
		if run := r.runs[e.Sequence]; r.flying[e.Sequence] != nil {
			rank = 0
		} else if run != nil && run.State.Ended() {
			continue
		} else if run != nil {
			rank = 1
		}
		if n := &next[e.Subject][rank]; *n == 0 {
			*n = e.Sequence
		}
	}
	for _, n := range next {
		i := slices.IndexFunc(n[:], func(seq int64) bool { return seq != 0 })
		if i == 0 || i == 1 && !r.runs[n[1]].NextAttemptAt.After(r.now) || i == 2 {
			list = append(list, n[i])
		}
	}
	slices.Sort(list)
	return list
}

// all returns the attempts of a handler without order that must be running: those of all events, except events whose run has ended or is not yet due.
func (r *rig) all() (list []int64) {
	for _, e := range r.events {
		run := r.runs[e.Sequence]
		if r.flying[e.Sequence] != nil || run == nil || !run.State.Ended() && !run.NextAttemptAt.After(r.now) {
			list = append(list, e.Sequence)
		}
	}
	return list
}

// Random histories: events, attempts that succeed, fail and die, runs that are retried and cancelled by hand, kills at any moment. The running attempts after
// each step follow from the store, exactly so for an ordered handler; the mark never passes an event without a run; no task is with the worker twice
// at the same time; in the end every run has succeeded.
func TestRandomHistories(t *testing.T) {
	for name, test := range map[string]struct {
		o    Options
		want func(r *rig) []int64
		some bool // there is not room for all at once
	}{
		"plain":                    {o: Options{}, want: (*rig).all},
		"at-most-3":                {o: Options{Concurrency: 3}, want: (*rig).all, some: true},
		"ordered":                  {o: Options{OrderBy: bySubject}, want: (*rig).due},
		"ordered-at-most-2":        {o: Options{OrderBy: bySubject, Concurrency: 2}, want: (*rig).due, some: true},
		"ahead":                    {o: Options{Concurrency: 2, Ahead: three}, want: (*rig).all, some: true},
		"ordered-with-little-room": {o: Options{OrderBy: bySubject, MaxKeys: 4}, want: (*rig).due, some: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range seeds() {
				r := newRig(t, test.o)
				r.inside = seed%2 == 1 && test.o.Ahead == nil
				history := []string{fmt.Sprint("seed ", seed)}
				check := func() {
					t.Helper()
					want := test.want(r)
					r.work()
					got := r.sequences()
					ok := slices.Equal(got, want)
					if test.some { // waiting runs may take all the room
						ok = (len(got) > 0 || len(want) == 0 || len(r.in(store.Retrying)) > 0) && !slices.ContainsFunc(got, func(seq int64) bool {
							return !slices.Contains(want, seq)
						})
					}
					most := test.o.Concurrency
					if test.o.Ahead != nil {
						most += test.o.Ahead()
					}
					if !ok || most > 0 && len(got)-len(r.settled) > most {
						t.Fatalf("%v are under way, want %v\nhistory: %q", got, want, history)
					}
				}
				r.history(rand.New(rand.NewPCG(seed, 2)), 80, check, func(step string) { history = append(history, step) })
				for r.finish(check) {
				}
				if done := r.in(store.Succeeded); len(done) != len(r.events) {
					t.Fatalf("%d of %d runs have succeeded\nhistory: %q", len(done), len(r.events), history)
				}
				for seq, run := range r.runs {
					if run.Budget != r.free[seq] {
						t.Fatalf("%d attempts of #%d don't count, want %d\nhistory: %q", run.Budget, seq, r.free[seq], history)
					}
				}
				r.kill()
			}
		})
	}
}

func three() int { return 3 }

// history takes random steps.
func (r *rig) history(rnd *rand.Rand, steps int, check func(), note func(string)) {
	pick := func(list []int64) int64 { return list[rnd.IntN(len(list))] }
	for range steps {
		dead, answers := slices.Concat(r.in(store.Dead), r.in(store.Cancelled), r.in(store.Retrying)), slices.Sorted(maps.Keys(r.settled))
		flying := slices.DeleteFunc(r.sequences(), func(seq int64) bool { return slices.Contains(answers, seq) })
		switch n := rnd.IntN(22); {
		case n < 5:
			for range 1 + rnd.IntN(3) {
				note(fmt.Sprint("emit ", r.emit(string(rune('a'+rnd.IntN(3))))))
			}
		case n < 12 && len(flying) > 0:
			seq := pick(flying)
			out := []store.Outcome{
				{State: store.Succeeded}, {State: store.Dead}, {State: store.Retrying, NextAttemptAt: r.now.Add(time.Duration(rnd.IntN(3)) * time.Second)},
			}[rnd.IntN(3)]
			note(fmt.Sprint(seq, " is ", out.State))
			r.q.End(r.flying[seq])
			r.settle(seq, out)
		case n < 15 && len(answers) > 0:
			seq := pick(answers)
			note(fmt.Sprint("the queue knows of ", seq))
			r.answer(seq)
		case n < 17 && len(dead) > 0:
			seq := pick(dead)
			note(fmt.Sprint("retry ", seq))
			r.retry(seq)
		case n < 19 && len(r.events) > 0:
			seq := 1 + rnd.Int64N(int64(len(r.events)))
			if rnd.IntN(2) == 0 { // the newest ones have seldom begun
				seq = max(1, int64(len(r.events))-rnd.Int64N(4))
			}
			if run := r.runs[seq]; run != nil && run.State.Ended() {
				break
			}
			note(fmt.Sprint("cancel ", seq))
			r.cancel(seq)
		case n == 19 && r.o.Ahead != nil && rnd.IntN(2) == 0:
			note("stop")
			r.stop()
			r.open()
		case n == 19:
			note("kill")
			r.kill()
			r.open()
		default:
			note("a second passes")
			r.now = r.now.Add(time.Second)
		}
		check()
	}
}

// finish retries the dead runs and lets an attempt succeed. It reports whether there was one.
func (r *rig) finish(check func()) bool {
	for seq := range r.settled {
		r.answer(seq)
	}
	r.now = r.now.Add(3 * time.Second)
	for _, seq := range slices.Concat(r.in(store.Dead), r.in(store.Cancelled)) {
		r.retry(seq)
		check()
	}
	check()
	flying := r.sequences()
	if len(flying) == 0 {
		return false
	}
	r.end(flying[0], store.Outcome{State: store.Succeeded})
	return true
}

// Random histories of a handler with bursts: over kills, each event is in one burst, of its key, and none is lost.
func TestRandomHistoriesOfBursts(t *testing.T) {
	for _, all := range []bool{false, true} {
		for seed := range seeds() {
			r := newRig(t, Options{Concurrency: 4, Bursts: &Bursts{
				Wait: 3 * time.Second, MaxWait: 7 * time.Second, All: all, Key: bySubject,
				Wanted: func(t *Task) (bool, error) { return t.Event.Subject != "c", nil },
			}})
			r.inside = seed%2 == 1
			rnd := rand.New(rand.NewPCG(seed, 3))
			check := func() {
				r.now = r.now.Add(time.Duration(rnd.IntN(3)) * time.Second)
				r.work()
			}
			r.history(rnd, 80, check, func(string) {})
			r.now = r.now.Add(time.Minute)
			for r.finish(r.work) {
			}
			for _, e := range r.events {
				run := r.runs[e.Sequence]
				switch {
				case run == nil:
					t.Fatalf("all %v, seed %d: #%d has no run", all, seed, e.Sequence)
				case run.Joined != 0:
					into := r.runs[run.Joined]
					if into.Sequence <= e.Sequence || into.State != store.Succeeded || r.events[into.Sequence-1].Subject != e.Subject {
						t.Fatalf("all %v, seed %d: #%d joined %+v", all, seed, e.Sequence, into)
					}
				case !r.byHand[e.Sequence] && (run.State == store.Skipped) != (e.Subject == "c"):
					t.Fatalf("all %v, seed %d: %s is %+v", all, seed, e.Subject, run)
				}
			}
			r.kill()
		}
	}
}

func seeds() uint64 {
	if storetest.Long() {
		return 5000
	}
	return 200
}
