package queue

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// A start reads the stored runs in pages of bounded size. Runs that are due after a full page are read when they are due, even if some runs of the
// page were interrupted.
func TestAStartWithMoreStoredRunsThanMemoryHolds(t *testing.T) {
	for _, o := range []Options{{}, {OrderBy: bySubject}} {
		r := newRig(t, o)
		r.kill()
		const n = 12_000
		for i := range n {
			seq := r.emit(time.Duration(i).String()) // each has a key of its own
			run := &store.Run{Sequence: seq, State: store.Retrying, Attempt: 1, NextAttemptAt: r.now}
			if i%1000 == 0 {
				run.State = store.Running
			}
			r.runs[seq] = run
		}
		r.mark = n
		r.open()
		r.work()
		if len(r.flying) != n {
			t.Errorf("ordered %v: %d of %d stored runs are tried again", o.OrderBy != nil, len(r.flying), n)
		}
	}
}

// A kill can leave more running runs than one page has: a handler with a concurrency of 10000 has twice as many with those claimed ahead.
func TestAStartWithMoreRunningRunsThanAPageHolds(t *testing.T) {
	r := newRig(t, Options{})
	r.kill()
	const n = 12_000
	for i := range n {
		seq := r.emit("")
		r.runs[seq] = &store.Run{Sequence: seq, State: store.Running, Attempt: 1}
		if i%3 == 0 {
			r.runs[seq] = &store.Run{Sequence: seq, State: store.Retrying, Attempt: 1, NextAttemptAt: r.now}
		}
	}
	r.mark = n
	r.open()
	r.work()
	if len(r.flying) != n {
		t.Errorf("%d of %d stored runs are tried again", len(r.flying), n)
	}
}

// More runs wait for their next attempt than the clock holds. Each is retried once, not before it is due, and in the order of the due times, whether
// it stayed in memory, stayed in the store, or was read at a start.
func TestMoreRetriesThanTheClockHolds(t *testing.T) {
	for _, restart := range []bool{false, true} {
		r := newRig(t, Options{Concurrency: 1})
		const n = 12_000
		rnd := rand.New(rand.NewPCG(1, 1))
		due := map[int64]time.Time{}
		for range n {
			r.emit("")
		}
		for r.work(); len(r.flying) > 0; r.work() {
			seq := r.sequences()[0]
			due[seq] = r.now.Add(time.Minute + time.Duration(rnd.IntN(600))*time.Second)
			r.end(seq, store.Outcome{State: store.Retrying, NextAttemptAt: due[seq]})
			if in := len(r.q.clock.items); in > maxRetriesInMemory {
				t.Fatalf("%d runs in memory", in)
			}
		}
		if restart {
			r.kill()
			r.open()
		}
		var order []int64
		for len(order) < n {
			r.work()
			if len(r.flying) == 0 {
				_, wait := r.q.Wait()
				r.now = r.now.Add(wait)
				continue
			}
			seq := r.sequences()[0]
			if !r.now.Equal(due[seq]) {
				t.Fatalf("#%d is tried again at %v, and was due at %v", seq, r.now, due[seq])
			}
			order = append(order, seq)
			r.end(seq, store.Outcome{State: store.Succeeded})
		}
		if !slices.IsSortedFunc(order, func(a, b int64) int { return due[a].Compare(due[b]) }) {
			t.Error("out of order")
		}
	}
}

// Events behind a held key take bounded memory; the others are read from the journal when their turn comes.
func TestEventsBehindAHeldKeyAreBounded(t *testing.T) {
	r := newRig(t, Options{OrderBy: bySubject})
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	const n = 900
	for range n {
		for _, key := range keys {
			r.emit(key)
		}
	}
	r.work()
	held := 0
	for _, k := range r.q.order.keys {
		held += len(k.waiting)
		if len(k.waiting) > maxParkedKey {
			t.Errorf("%d events of a key wait in memory", len(k.waiting))
		}
	}
	if held > maxParked {
		t.Errorf("%d events wait in memory", held)
	}
	last := map[string]int64{}
	for r.work(); len(r.flying) > 0; r.work() {
		for _, seq := range r.sequences() {
			if key := r.events[seq-1].Subject; seq <= last[key] {
				t.Fatalf("#%d after #%d", seq, last[key])
			} else {
				last[key] = seq
			}
			r.end(seq, store.Outcome{State: store.Succeeded})
		}
	}
	if done := len(r.in(store.Succeeded)); done != n*len(keys) || r.mark != int64(done) {
		t.Errorf("%d events are done, and the mark is at %d", done, r.mark)
	}
}

// A rate spaces attempts, and doesn't delay the settlement of tasks without attempts.
func TestARateSpacesAttempts(t *testing.T) {
	r := newRig(t, Options{Interval: time.Second})
	for range 5 {
		r.emit("")
	}
	began := r.now
	for n := 1; n <= 5; n++ {
		if r.work(); len(r.flying) != n {
			t.Fatalf("%d attempts after %v", len(r.flying), r.now.Sub(began))
		}
		live, wait := r.q.Wait()
		if n < 5 && (wait != time.Second || live != nil) {
			t.Fatalf("it waits for %v", wait)
		}
		r.now = r.now.Add(wait - 1)
		if r.work(); len(r.flying) != n {
			t.Fatalf("an attempt began %v after the one before", wait-1)
		}
		r.now = r.now.Add(1)
	}
}

// An event whose key can't be evaluated is returned at once, with the error.
func TestAnEventWithoutAKeyIsGivenWithTheError(t *testing.T) {
	no := errors.New("no key")
	r := newRig(t, Options{OrderBy: func(*Task) (string, error) { return "", no }})
	r.emit("")
	if task := r.next(); task == nil || !errors.Is(task.Err, no) {
		t.Errorf("%+v", task)
	}
}

// The mark stays before the lowest event without a run, and moves past events that the handler doesn't match.
func TestTheMark(t *testing.T) {
	r := newRig(t, Options{})
	r.work()
	for range 10 {
		r.emit("")
	}
	r.work()
	for _, seq := range r.sequences()[1:] {
		r.end(seq, store.Outcome{State: store.Succeeded})
	}
	if mark := r.q.LowWater(nil); mark != 0 {
		t.Errorf("the mark is at %d, and the first event is under way", mark)
	}
	r.end(1, store.Outcome{State: store.Succeeded})
	if mark := r.q.LowWater(nil); mark != 10 {
		t.Errorf("the mark is at %d, and all 10 events have runs", mark)
	}

	r = newRig(t, Options{Patterns: []events.Pattern{events.MustPattern("y")}})
	r.work()
	for range 10 {
		r.emit("")
	}
	if mark := r.q.LowWater(nil); mark != 10 {
		t.Errorf("the mark is at %d, and none of 10 events is for the handler", mark)
	}
}

// Even if very many runs are retried by hand at once, each is tried again; an attempt that didn't count makes room for another.
func TestRunsRetriedByHand(t *testing.T) {
	for _, o := range []Options{{}, {OrderBy: bySubject}} {
		r := newRig(t, o)
		const n = maxRetriesInMemory + 1000
		for i := range n {
			seq := r.emit(time.Duration(i).String())
			r.runs[seq] = &store.Run{Sequence: seq, State: store.Dead, Attempt: 1}
		}
		r.kill()
		r.mark = n
		r.open()
		r.work()
		for _, seq := range r.in(store.Dead) {
			r.retry(seq)
		}
		r.work()
		if len(r.flying) != n {
			t.Errorf("ordered %v: %d of %d runs are tried again", o.OrderBy != nil, len(r.flying), n)
		}
		r.end(1, store.Outcome{State: store.Retrying, NextAttemptAt: r.now, Uncounted: true})
		if r.work(); r.flying[1].Attempt != 3 || r.flying[1].Budget != 1 {
			t.Errorf("%+v after an attempt that doesn't count", r.flying[1])
		}
	}
}
