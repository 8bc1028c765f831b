package queue

import (
	"math"
	"time"
)

// Wait is what a task waits for.
type Wait struct {
	For    Cause
	Behind int64     // the sequence of the run or event of its key that comes first, with Key
	Until  time.Time // when it is due, with Backoff, Burst and Rate
}

// Cause is the kind of a [Wait].
type Cause int8

// What tasks wait for.
const (
	Unknown Cause = iota // nothing, or the queue does not know the task
	Given                // the worker has it
	Backoff              // its next attempt is due later
	Key                  // another run has its key
	Burst                // its burst goes on
	Rate                 // the next attempt of the handler may begin later
	Place                // as many attempts as may are running
	Unread               // the queue has not taken its event from the journal yet
)

// Waits implements [Source].
func (q *Queue) Waits(sequences map[int64]bool) map[int64]Wait {
	waits := make(map[int64]Wait, len(sequences))
	q.order.waits(sequences, waits)
	for seq := range sequences {
		t := q.clock.known[seq]
		switch {
		case q.active[seq] != nil:
			waits[seq] = Wait{For: Given}
		case t != nil && t.due.After(q.o.Now()):
			waits[seq] = Wait{For: Backoff, Until: t.due}
		case waits[seq].For == Key:
		case q.bursts != nil && q.bursts.in[seq] != nil && q.bursts.in[seq].due.After(q.o.Now()):
			waits[seq] = Wait{For: Burst, Until: q.bursts.in[seq].due}
		case q.running >= q.most():
			waits[seq] = Wait{For: Place}
		case q.pace.wait(q.o.Now) > 0:
			waits[seq] = Wait{For: Rate, Until: q.pace.next}
		case seq > q.follower.after:
			waits[seq] = Wait{For: Unread}
		}
		if w := waits[seq]; (w.For == Place || w.For == Rate) && seq > q.follower.after+1 && t == nil {
			waits[seq] = Wait{For: Unread}
		}
	}
	return waits
}

// Waiting implements [Source].
func (q *Queue) Waiting(running map[int64]bool) (first, left int64) {
	if q.share.held == 0 {
		return 0, q.follower.passedOver
	}
	low := q.order.lowest()
	if q.bursts != nil {
		low = min(low, q.bursts.lowest())
	}
	for seq, t := range q.active {
		if t.First() && !running[seq] {
			low = min(low, t.lowest())
		}
	}
	if len(q.follower.batch) > 0 {
		low = min(low, q.follower.batch[0].Sequence)
	}
	if low != math.MaxInt64 {
		return low, q.follower.passedOver
	}
	if _, ok := q.follower.idle(); ok {
		return 0, q.follower.passedOver
	}
	return q.follower.read + 1, q.follower.passedOver
}

// After implements [Source].
func (q *Queue) After() int64 { return q.follower.after }

// waits finds the tasks that wait for their keys.
func (o *keyOrder) waits(sequences map[int64]bool, waits map[int64]Wait) {
	for _, k := range o.keys {
		first := k.running
		if first == 0 && len(k.runs) > 0 {
			first = k.runs[0]
		}
		note := func(seq int64) {
			if sequences[seq] && first != 0 && seq != first {
				waits[seq] = Wait{For: Key, Behind: first}
			}
		}
		for _, seq := range k.runs {
			note(seq)
		}
		for _, t := range k.waiting {
			note(t.Seq)
		}
	}
}
