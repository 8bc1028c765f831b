package queue

import (
	"time"

	"evrun/events"
)

// Task is one attempt of a run. The worker that got it from [Source.Next] owns it until [Source.Done].
type Task struct {
	Event   *events.Event
	Seq     int64  // the event's sequence
	ID      string // the run's; empty: the run began under the handler's name
	Attempt int    // from 1
	Budget  int    // how many of the earlier attempts don't count
	// Joins are, at the first attempt for a burst, the sequences of its other events, ascending. They have no run yet.
	Joins   []int64
	Started time.Time // when Next gave it, or when the attempt began that was interrupted
	// Claimed says that the store has the attempt as started. The worker sets it; it is set from the start where the attempt was
	// interrupted by a kill.
	Claimed bool
	// Skip says that the handler doesn't want the event: it must be settled as skipped. The condition of a handler with bursts
	// is evaluated by the queue, since only events that the handler wants may prolong a burst.
	Skip bool
	// Err says that the attempt has failed already: its key could not be evaluated, or it was interrupted by a kill.
	Err error
	// Scratch is for the worker, which may keep its view of the event here when it evaluates the key. The queue drops it
	// when the task waits.
	Scratch any

	due      time.Time
	key      string // with an order
	place    int    // in the retry clock
	next     *Task  // the attempt that follows, when the run was retried before its end was known here
	gathered bool   // it is for a burst that is over
	settling bool   // within LowWater
}

// Recorded says whether t's run has a row in the store.
func (t *Task) Recorded() bool { return t.Attempt > 1 || t.Claimed }

// lowest is the lowest sequence that t is for.
func (t *Task) lowest() int64 {
	if len(t.Joins) > 0 {
		return t.Joins[0]
	}
	return t.Seq
}

// follow keeps next until t's attempt has ended.
func (t *Task) follow(next *Task) {
	if next.Attempt > t.Attempt && (t.next == nil || next.Attempt > t.next.Attempt) {
		t.next = next
	}
}
