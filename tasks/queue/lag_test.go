package queue

import (
	"slices"
	"testing"

	"evrun/events"
	"evrun/store"
)

// A handler that is slow for a while falls behind what the bus keeps for it. It gets the rest from the journal and comes back to the bus, however its
// lag and the later events interleave: each event is given once, in order, and none is read that came over the bus, or read twice.
func TestASlowHandlerGoesToTheJournalAndComesBack(t *testing.T) {
	for _, commit := range []int{1, 7, 1000, events.MaxWaiting + 1} {
		r := newRig(t, Options{Concurrency: 1})
		r.work()
		emit := func(n int) {
			var evs []*events.Event
			for range n {
				e := &events.Event{Type: "x", Sequence: int64(len(r.events) + 1), Data: []byte("{}")}
				r.events, evs = append(r.events, e), append(evs, e)
				if len(evs) == commit {
					r.bus.Publish(evs)
					evs = nil
				}
			}
			r.bus.Publish(evs)
		}
		var given []int64
		work := func(n int) {
			for r.work(); len(r.flying) > 0 && n > 0; r.work() {
				given = append(given, r.sequences()...)
				r.end(r.sequences()[0], store.Outcome{State: store.Succeeded})
				n--
			}
		}
		const waiting = events.MaxWaiting
		for range 3 {
			emit(10)
			work(5) // it has a batch in its hands
			emit(waiting + 500)
			read, before := r.read, len(r.events)
			if work(1000); r.read != read {
				t.Errorf("commits of %d: %d events were read, and more than 1000 were waiting", commit, r.read-read)
			}
			work(waiting) // it is near the head: later events come over the bus
			if got := r.read - read; got == 0 || got > 600 {
				t.Errorf("commits of %d: %d events were read, and about 500 had no room", commit, got)
			}
			emit(2000)
			if work(1e9); r.read-read > 600+min(commit, 2000) || len(given) < before {
				t.Errorf("commits of %d: %d events were read, and about 500 had no room", commit, r.read-read)
			}
		}
		if len(given) != len(r.events) || !slices.IsSorted(given) || len(slices.Compact(given)) != len(r.events) {
			t.Errorf("commits of %d: %d of %d events are given, sorted: %v", commit, len(given), len(r.events), slices.IsSorted(given))
		}
		r.kill()
	}
}
