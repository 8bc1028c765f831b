package queue

import (
	"context"
	"math"
	"slices"
	"time"

	"evrun/store"
)

// TakeChanged implements [Source]: it takes the runs that people have retried or cancelled, in the order of the changes. Retried runs come before all
// tasks that begin later. Tasks that wait for a cancelled run go on at once. If there were more runs than the handover holds, the stored runs are read
// again; events that were cancelled before they had a run may then still be given to the worker, and the store refuses their attempts.
func (q *Queue) TakeChanged(ctx context.Context) (err error) {
	if !q.o.Changed.waiting() {
		return nil
	}
	runs, told, all := q.o.Changed.take()
	defer func() {
		if err != nil {
			q.o.Changed.Reread()
		}
	}()
	if !all {
		q.follower.leaveOut(math.MaxInt64)
		if q.o.OrderBy != nil {
			q.forget(0)
			return q.readOn(ctx)
		}
		q.clock.keep(nil)
		return q.reload(ctx)
	}
	if len(told) > 0 {
		list, err := q.o.Journal.Runs(ctx, store.RunQuery{IDs: told, Limit: len(told)})
		if err != nil {
			return err
		}
		runs = append(runs, slices.DeleteFunc(list, func(r store.Run) bool {
			return r.State != store.Retrying && r.State != store.Cancelled && r.State != store.Dropped && !r.Cancelling
		})...)
		for i := range runs {
			q.follower.leaveOut(runs[i].Sequence) // it may have been cancelled before it had begun, and retried since
		}
	}
	for len(runs) > 0 {
		retried := runs[0].State == store.Retrying
		n := slices.IndexFunc(runs, func(r store.Run) bool { return (r.State == store.Retrying) != retried })
		if n < 0 {
			n = len(runs)
		}
		take := q.cancelled
		if retried {
			take = q.retried
		}
		if err := take(ctx, runs[:n]); err != nil {
			return err
		}
		runs = runs[n:]
	}
	return nil
}

// retried takes runs that are due now.
func (q *Queue) retried(ctx context.Context, runs []store.Run) error {
	if q.o.OrderBy == nil {
		for i := range runs {
			if t := retrying(&runs[i]); q.share.held.Has(q.slotOf(t)) {
				q.await(t)
			}
		}
		return nil
	}
	known := slices.DeleteFunc(slices.Clone(runs), func(run store.Run) bool { return run.Sequence > q.order.upTo })
	if len(known) == 0 {
		return nil
	}
	if err := q.arrange(ctx, known); err != nil {
		return err
	}
	if q.order.stored > q.o.MaxKeys+q.o.MaxKeys/4 {
		q.forget(q.order.lower())
	}
	return nil
}

// cancelled forgets runs that have ended, and names to the worker those that it has: a running one ends when its attempt has returned.
func (q *Queue) cancelled(ctx context.Context, runs []store.Run) error {
	var waiting []store.Run
	for i := range runs {
		t := q.active[runs[i].Sequence]
		if t == nil {
			waiting = append(waiting, runs[i])
			continue
		}
		t.cancelled, t.next = true, nil
		if q.o.Cancelled != nil {
			q.o.Cancelled(t, runs[i].Reason)
		}
	}
	if q.o.OrderBy != nil && len(waiting) > 0 {
		evs, err := q.eventsOf(ctx, waiting)
		if err != nil {
			return err
		}
		for sequence, e := range evs {
			t := &Task{Event: e, Seq: sequence, Attempt: 1}
			if q.keyOf(t) == nil {
				q.order.drop(t.key, sequence)
			}
		}
	}
	for i := range waiting {
		q.clock.drop(waiting[i].Sequence)
		if q.bursts != nil {
			q.bursts.drop(waiting[i].Sequence)
		}
		q.follower.leaveOut(waiting[i].Sequence)
	}
	return nil
}

// drop removes a run.
func (c *retryClock) drop(sequence int64) {
	if t := c.known[sequence]; t != nil {
		c.remove(t)
	}
}

// drop removes a run, or an event without one, from its key, and gives the key to the next task.
func (o *keyOrder) drop(key string, sequence int64) {
	k := o.keys[key]
	if k == nil {
		return
	}
	of := func(t *Task) bool { return t.Seq == sequence }
	parked := len(k.waiting)
	k.waiting, k.due = slices.DeleteFunc(k.waiting, of), slices.DeleteFunc(k.due, of)
	o.parked -= parked - len(k.waiting)
	o.unhold(k, sequence)
	if k.running == sequence {
		if i := slices.IndexFunc(o.ready, of); i >= 0 {
			if !o.ready[i].Recorded() {
				o.parked--
			}
			o.ready = slices.Delete(o.ready, i, i+1)
		}
		k.running = 0
	}
	o.advance(key, k)
}

// unpark removes an event from its key: it has got a run, because it was cancelled and retried.
func (o *keyOrder) unpark(key string, sequence int64) {
	k := o.keys[key]
	if k == nil {
		return
	}
	of := func(t *Task) bool { return t.Seq == sequence && !t.Recorded() }
	parked := len(k.waiting)
	k.waiting = slices.DeleteFunc(k.waiting, of)
	o.parked -= parked - len(k.waiting)
	if i := slices.IndexFunc(o.ready, of); k.running == sequence && i >= 0 {
		o.ready = slices.Delete(o.ready, i, i+1)
		o.parked--
		k.running = 0
	}
}

// isDue reports whether a stored run is due, and waits only for its key or for a free attempt.
func (o *keyOrder) isDue(t *Task) bool {
	k := o.keys[t.key]
	return k.running == t.Seq || slices.ContainsFunc(k.due, func(d *Task) bool { return d.Seq == t.Seq && d.Attempt >= t.Attempt })
}

// drop removes an event from its burst.
func (b *bursts) drop(sequence int64) {
	u := b.in[sequence]
	if u == nil {
		return
	}
	delete(b.in, sequence)
	b.waiting--
	i, _ := slices.BinarySearch(u.sequences, sequence)
	if u.sequences = slices.Delete(u.sequences, i, i+1); len(u.sequences) == 0 {
		b.remove(u)
	} else if i == len(u.sequences) {
		u.last = nil // the one before it is read when the burst is over
	}
}

// again makes a burst of events whose run could not begin, because its own event was cancelled. It is over at once.
func (b *bursts) again(sequences []int64, now time.Time) {
	if len(sequences) > 0 {
		b.insert(&burst{sequences: slices.Clone(sequences), first: now, due: now, full: true, place: -1})
	}
}

// leaveOut has poll leave out an event that was cancelled, and so has a run. Where the journal has not been read yet, events with a run are left out when
// it is read; otherwise the sequence is remembered. No more sequences are remembered than there are events in memory.
func (f *follower) leaveOut(sequence int64) {
	switch {
	case sequence == math.MaxInt64:
		f.start = max(f.start, f.bus.Head())
	case sequence <= f.after:
	case !f.live && sequence > f.read:
		f.start = max(f.start, sequence)
	default:
		if f.left == nil {
			f.left = map[int64]bool{}
		}
		if f.left[sequence] = true; len(f.left) > 4*f.buffer {
			for known := range f.left {
				if known <= f.after {
					delete(f.left, known)
				}
			}
		}
	}
}

// isLeft reports whether an event was cancelled before poll came to it.
func (f *follower) isLeft(sequence int64) bool {
	if len(f.left) == 0 || !f.left[sequence] {
		return false
	}
	delete(f.left, sequence)
	return true
}
