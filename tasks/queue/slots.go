package queue

import (
	"context"
	"slices"
	"time"

	"evrun/store"
)

// share is what a queue has of its handler's slots: see the package comment.
type share struct {
	held store.Slots
	from [store.SlotCount]int64 // of each held slot: its events up to here are not taken from the journal (any more)
	top  int64                  // the greatest of them
}

// gain adds slots whose events up to mark have runs. after is the follower's position: the events of the other slots up to there were taken.
func (s *share) gain(slots store.Slots, mark, after int64) {
	for slot := range s.from {
		switch {
		case slots.Has(slot):
			s.from[slot] = mark
		case s.held.Has(slot):
			s.from[slot] = max(s.from[slot], after)
		default:
			s.from[slot] = 0
		}
	}
	s.held |= slots
	s.top = slices.Max(s.from[:])
}

// narrow says which slots' events are wanted of the journal after read: those up to before, at most, which it may lower. 0: none are.
func (s *share) narrow(read, before int64) (upTo int64, slots store.Slots) {
	if read >= s.top {
		return before, s.held
	}
	for slot, from := range s.from {
		switch {
		case !s.held.Has(slot):
		case from > read:
			before = min(before, from+1)
		default:
			slots |= 1 << slot
		}
	}
	return before, slots
}

// Gain adds slots to the queue: it continues them after the grant's mark, and with their runs that have not ended. No task of them may be with the worker.
// After an error nothing has changed.
func (q *Queue) Gain(ctx context.Context, g store.Grant) error {
	head, err := q.o.Journal.Head(ctx)
	if err != nil {
		return err
	}
	q.gain(g, head)
	return nil
}

// gain is Gain at a moment when the journal's head was head, or lower.
func (q *Queue) gain(g store.Grant, head int64) {
	after := g.LowWater
	if q.share.held != 0 {
		after = min(after, q.follower.after)
	}
	q.share.gain(g.Slots, g.LowWater, q.follower.after)
	q.follower.goBack(after, head)
	if q.o.OrderBy != nil {
		q.forget(0)
	} else {
		q.unread = true
	}
}

// Leave takes slots out of the queue: what waits of them is forgotten, and nothing of them comes any more. It returns those of their tasks that the worker
// has, also after an earlier call. These have no further attempts here.
func (q *Queue) Leave(slots store.Slots) (given []*Task) {
	of := func(t *Task) bool { return slots.Has(q.slotOf(t)) }
	q.share.held &^= slots
	q.interrupted = slices.DeleteFunc(q.interrupted, func(t *Task) bool {
		if of(t) {
			q.over(t)
		}
		return of(t)
	})
	q.clock.keep(slices.DeleteFunc(q.clock.items, of))
	if q.picked != nil && of(q.picked) {
		q.order.release(q.picked)
		q.picked = nil
	}
	q.order.leave(func(key string) bool { return slots.Has(q.slotOfKey(key)) })
	if q.bursts != nil && slots.Has(0) {
		*q.bursts = *newBursts(q.bursts.Bursts)
	}
	for _, t := range q.active {
		if of(t) {
			t.left, t.next = true, nil
			given = append(given, t)
		}
	}
	if q.share.held == 0 {
		q.follower.rest()
	}
	return given
}

// Rest lets no attempt of a handler with a rate begin before a time.
func (q *Queue) Rest(until time.Time) { q.pace.rest(until) }

// Held returns the slots that the queue has.
func (q *Queue) Held() store.Slots { return q.share.held }

// Busy returns those of the slots that have a task with the worker.
func (q *Queue) Busy(slots store.Slots) (busy store.Slots) {
	for _, t := range q.active {
		busy |= 1 << q.slotOf(t)
	}
	return busy & slots
}

// slotOf is the slot of a task, whose key has been evaluated.
func (q *Queue) slotOf(t *Task) int {
	if t.key == "" && !q.o.Single { // it has no order, or its key could not be evaluated
		return store.SlotOf(t.Seq)
	}
	return q.slotOfKey(t.key)
}

func (q *Queue) slotOfKey(key string) int {
	if q.o.Single {
		return 0
	}
	return store.SlotOfKey(key)
}

// mine reports whether the queue takes an event that the follower has returned: the event's slot is held, and was not taken so far.
func (q *Queue) mine(t *Task) bool {
	s := &q.share
	if s.held == store.AllSlots && t.Seq > s.top {
		return true
	}
	if q.o.OrderBy != nil {
		t.Err = q.keyOf(t)
	}
	slot := q.slotOf(t)
	return s.held.Has(slot) && t.Seq > s.from[slot]
}

// seen returns the sequence up to which the follower has returned the events of a key. It may have gone back since.
func (q *Queue) seen(key string) int64 {
	if q.follower.after >= q.share.top {
		return q.follower.after
	}
	return max(q.follower.after, q.share.from[q.slotOfKey(key)])
}

// leave forgets what waits for the keys that are left.
func (o *keyOrder) leave(left func(key string) bool) {
	o.ready = slices.DeleteFunc(o.ready, func(t *Task) bool {
		gone := left(t.key)
		if gone {
			o.keys[t.key].running = 0
			if !t.Recorded() {
				o.parked--
			}
		}
		return gone
	})
	for key, k := range o.keys {
		if !left(key) {
			continue
		}
		o.parked -= len(k.waiting)
		o.stored -= len(k.runs)
		k.waiting, k.due, k.runs, k.rest = nil, nil, nil, 0
		delete(o.spilled, key)
		o.tidy(key, k)
	}
}

// goBack makes the follower return the events after a sequence, of those up to head only the ones that have no run.
func (f *follower) goBack(after, head int64) {
	f.start = max(f.start, head)
	f.after, f.read, f.batch, f.live = after, after, nil, false
	if max(f.bus.Head(), f.start)-after > int64(f.buffer/2) {
		f.rest()
	}
}

// rest ends the subscription until poll is called again.
func (f *follower) rest() {
	f.close()
	f.sub, f.live, f.batch = nil, false, nil
	f.read = f.after
}
