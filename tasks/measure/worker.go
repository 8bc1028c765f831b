package measure

import (
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/meter"
	"evrun/tasks/queue"
)

// Worker is what a handler's worker counts. The worker's goroutine owns it, and collects the runs of a batch before it adds them to the handler's
// counts: an event costs a few comparisons.
//
// How many events wait is never looked up: it is how many were published for the handler (a tally of the bus) without those that the worker has
// handled. The two may come apart by events that were cancelled before they had a run, until nothing waits: then they are made equal.
type Worker struct {
	of       *Handler
	accepted *meter.Clock // nil: waits are not measured
	tally    *events.Tally
	base     int64 // the tally counts the events after this one
	handled  int64 // of those, the events that wait no more
	before   int64 // the events up to base that were handled

	// Of the batch.

	ended       [store.Cancelled + 1]int64
	failed      int64
	waits, took meter.Sample

	// The last answer of accepted: the events from since to upTo were accepted at a time.

	at          time.Time
	known       bool
	since, upTo int64
}

// NewWorker begins to count. tally has the events that are published for the handler; head is the journal's head before the first was published.
func NewWorker(of *Handler, accepted *meter.Clock, tally *events.Tally, head int64) Worker {
	return Worker{of: of, accepted: accepted, tally: tally, base: max(head, tally.From)}
}

// From sets the journal's head before the first event was published, for a worker that was made before that was known.
func (w *Worker) From(head int64) { w.base = max(w.base, head) }

// Stop ends the tally.
func (w *Worker) Stop() { w.tally.Stop() }

// Lost counts slots that were taken away.
func (w *Worker) Lost(slots store.Slots) { w.of.Lost.Add(int64(slots.Len())) }

// Settled counts a task that the store has settled.
func (w *Worker) Settled(t *queue.Task, out *store.Settled) {
	if out.Fenced {
		return
	}
	if out.State.Ended() {
		w.ended[out.State]++
	}
	if out.State == store.Dead || out.State == store.Retrying && !out.Uncounted {
		w.failed++
	}
	if t.Took > 0 {
		w.took.Observe(t.Took)
	}
	if !t.First() {
		return
	}
	if n := int64(1 + len(t.Joins)); t.Seq > w.base {
		w.handled += n
	} else {
		w.before += n
	}
	if w.accepted == nil {
		return
	}
	if t.Seq < w.since || t.Seq > w.upTo {
		w.since = t.Seq
		w.at, w.upTo, w.known = w.accepted.At(t.Seq)
	}
	if w.known {
		w.waits.Observe(t.Started.Sub(w.at))
	}
}

// Add adds what was collected to the handler's counts.
func (w *Worker) Add() {
	for state, n := range w.ended {
		if n > 0 {
			w.of.Ended[state].Add(n)
			w.ended[state] = 0
		}
	}
	if w.failed > 0 {
		w.of.Failed.Add(w.failed)
		w.failed = 0
	}
	w.of.Attempts.Add(&w.took)
	w.of.Waits.Add(&w.waits)
}

// Pending is what a handler has yet to handle.
type Pending struct {
	Base   int64 // the events that were accepted after this one are counted exactly
	Mark   int64 // everything up to here is handled, or has a run
	After  int64 // how many events after Base wait
	Before int64 // how many events up to Base were handled
	First  int64 // the first sequence that waits, or one before it; 0: nothing waits
}

// Pending returns what waits. running are the sequences of the first attempts that are under way; mark returns the low-water mark.
func (w *Worker) Pending(q queue.Source, running map[int64]bool, mark func() int64) Pending {
	published := w.tally.Count() // before the queue is asked: what is published meanwhile waits
	first, passedOver := q.Waiting(running)
	taken := passedOver + int64(len(running))
	if first == 0 {
		w.handled = published - taken
	}
	return Pending{Base: w.base, Mark: mark(), After: max(0, published-taken-w.handled), Before: w.before, First: first}
}

// Unbegun is Pending for a worker that has not begun, from another goroutine.
func (w *Worker) Unbegun(mark int64) Pending {
	return Pending{Base: w.base, Mark: mark, After: w.tally.Count(), First: mark + 1}
}
