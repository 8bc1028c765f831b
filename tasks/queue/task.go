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
	Budget  int    // how many earlier attempts don't count
	// Joins are, at the first attempt for a burst, the sequences of its other events, ascending. They have no run yet.
	Joins   []int64
	Started time.Time     // when Next returned it, or when the interrupted attempt began
	Took    time.Duration // what the attempt took, if it ran in a goroutine of its own; the worker sets it
	// Claimed says that the store has recorded the start of the attempt. The worker sets it; for an attempt that a kill interrupted, the queue does.
	Claimed bool
	// Ahead says that the start was recorded before the attempt could begin. The worker sets it; an attempt that a kill interrupted then may not have
	// begun, and must not count.
	Ahead bool
	// Skip says that the handler doesn't want the event: it must be settled as skipped. For a handler with bursts the queue evaluates the condition,
	// because only wanted events may prolong a burst.
	Skip bool
	// Err says that the attempt has already failed: its key could not be evaluated, or a kill interrupted it.
	Err error
	// Lost says that the task's slot was lost, so that its end must not be settled. The worker sets it.
	Lost bool
	// Scratch is for the worker, which may keep its view of the event here when it evaluates the key. The queue clears it when the task waits.
	Scratch any

	due      time.Time
	key      string // with an order
	place    int    // in the retry clock
	next     *Task  // the next attempt, if the run was retried before the end of this attempt was known here
	stored   bool   // its run has a row: it waits for its next attempt
	gathered bool   // it is the task of a burst that is over
	settling bool   // LowWater's mark: it is among the tasks to be settled
	// The run was cancelled after the attempt was given to the worker. It goes on only if it is retried by hand: then next is set again.
	cancelled bool
	left      bool // its slot has left the queue
}

// Recorded reports whether t's run has a row in the store.
func (t *Task) Recorded() bool { return t.Claimed || !t.First() }

// First reports whether t is the attempt that gives its run a row. A run that was cancelled before it had begun, and retried, has one already.
func (t *Task) First() bool { return t.Attempt == 1 && !t.stored }

// lowest returns the lowest sequence among t's events.
func (t *Task) lowest() int64 {
	if len(t.Joins) > 0 {
		return t.Joins[0]
	}
	return t.Seq
}

// follow keeps next, the run's next attempt, until t's attempt has ended.
func (t *Task) follow(next *Task) {
	if (next.Attempt > t.Attempt || t.cancelled && next.Attempt == t.Attempt) && (t.next == nil || next.supersedes(t.next)) {
		t.next, t.cancelled = next, false
	}
}

// supersedes reports whether t is a later state of a run than o: a later attempt, or the same one that was retried by hand.
func (t *Task) supersedes(o *Task) bool {
	return t.Attempt > o.Attempt || t.Attempt == o.Attempt && t.due.Before(o.due)
}
