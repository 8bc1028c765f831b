package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"evrun/events"
	"evrun/store"
)

// A stored run that waits for its next attempt comes into memory in one of three ways: it is read from the store, an attempt of it has failed here,
// or it was retried by hand (by_hand.go). Each time Queue.await makes sure that it is kept once: while an attempt of the run is running, the next attempt
// waits for its end.

// await makes a stored run wait for its next attempt. Of two tasks of one run it keeps the later one (see Task.supersedes); the other is an outdated state
// of the run.
func (q *Queue) await(t *Task) {
	if a := q.active[t.Seq]; a != nil {
		a.follow(t)
		return
	}
	q.clock.add(t)
}

func retrying(run *store.Run) *Task {
	return &Task{Seq: run.Sequence, ID: run.ID, Attempt: run.Attempt + 1, Budget: run.Budget, due: run.NextAttemptAt, stored: true}
}

// readPending continues to read stored runs when memory has room again.
func (q *Queue) readPending(ctx context.Context) error {
	switch {
	case q.share.held == 0:
	case q.o.OrderBy == nil && (q.unread || q.clock.exhausted()):
		return q.reload(ctx)
	case q.order.partial() && q.order.stored <= q.o.MaxKeys/4:
		return q.readOn(ctx)
	}
	return nil
}

// reload fills the retry clock from the store with the runs that are due first. For an ordered handler readOn does this.
func (q *Queue) reload(ctx context.Context) error {
	limit := maxRetriesInMemory/2 + len(q.active)
	q.unread, q.clock.horizon = true, time.Time{} // until all is read
	q.unpick(0)
	slots := q.share.held
	if q.o.Single {
		slots = store.AllSlots
	}
	runs, err := q.o.Journal.Pending(ctx, q.id, slots, limit)
	if err != nil {
		return fmt.Errorf("read pending runs: %w", err)
	}
	for i := range runs {
		run := &runs[i]
		if run.State != store.Running {
			if t := retrying(run); q.share.held.Has(q.slotOf(t)) {
				q.await(t)
			}
			continue
		}
		t := &Task{Seq: run.Sequence}
		if ok, err := q.fetch(ctx, t); err != nil {
			return err
		} else if ok {
			q.interrupt(run, t.Event)
		}
	}
	if len(runs) == limit {
		if q.clock.horizon = runs[len(runs)-1].NextAttemptAt; q.clock.horizon.IsZero() {
			q.clock.horizon = time.Unix(0, 0) // all are running: the next page is read at once
		}
	}
	q.unread = false
	return nil
}

// readOn reads stored runs of an ordered handler, in order of sequence, until all are in memory or memory is full.
func (q *Queue) readOn(ctx context.Context) error {
	for q.order.partial() && q.order.stored < max(1, q.o.MaxKeys/2) {
		runs, err := q.o.Journal.PendingAfter(ctx, q.id, q.order.upTo, followPage)
		if err != nil {
			return fmt.Errorf("read pending runs: %w", err)
		}
		if err := q.arrange(ctx, runs); err != nil {
			return err
		}
		if len(runs) < followPage {
			q.order.complete()
		} else {
			q.order.upTo = runs[len(runs)-1].Sequence
		}
	}
	return nil
}

// arrange adds stored runs of an ordered handler to their keys. Their events are read again when their turn comes.
func (q *Queue) arrange(ctx context.Context, runs []store.Run) error {
	evs, err := q.eventsOf(ctx, runs)
	if err != nil {
		return err
	}
	for i := range runs {
		run := &runs[i]
		e := evs[run.Sequence]
		switch {
		case e == nil: // deleted
		case run.State == store.Running:
			q.interrupt(run, e)
		default:
			t := retrying(run)
			t.Event = e
			err := q.keyOf(t) // its next attempt reports the error
			if t.Event, t.Scratch = nil, nil; !q.share.held.Has(q.slotOf(t)) {
				continue
			}
			if err == nil && q.active[t.Seq] == nil {
				q.order.unpark(t.key, t.Seq)
				if q.order.hold(t); q.order.isDue(t) {
					continue // it waits only for its key
				}
			}
			q.await(t)
		}
	}
	return nil
}

// eventsOf reads the events of runs, by sequence.
func (q *Queue) eventsOf(ctx context.Context, runs []store.Run) (map[int64]*events.Event, error) {
	sequences := make([]int64, len(runs))
	for i := range runs {
		sequences[i] = runs[i].Sequence
	}
	list, err := store.EventsOf(ctx, q.o.Journal, sequences)
	if err != nil {
		return nil, fmt.Errorf("read the events of pending runs: %w", err)
	}
	evs := make(map[int64]*events.Event, len(list))
	for _, e := range list {
		evs[e.Sequence] = e
	}
	return evs, nil
}

var (
	errInterrupted = errors.New("evrun was stopped or killed while this attempt ran")
	errUnbegun     = errors.New("evrun was stopped or killed; this attempt was claimed ahead, and may not have begun. It does not count")
)

// interrupt returns the attempt that was running when the daemon died to the worker, as a failed one. It is unknown whether the attempt did its work:
// repeating it gives at-least-once, and counting it as failed ends a command that kills the daemon each time. An attempt that was claimed ahead may not
// have begun, and must not be counted: it is repeated before a new event begins, so that concurrency 1 keeps the journal's order.
func (q *Queue) interrupt(run *store.Run, e *events.Event) {
	if t := q.active[run.Sequence]; t != nil { // its attempt is running in this process
		if run.Cancelling && q.o.Cancelled != nil {
			q.o.Cancelled(t, run.Reason)
		}
		return
	}
	t := &Task{Event: e, Seq: run.Sequence, ID: run.ID, Attempt: run.Attempt, Budget: run.Budget, Started: run.StartedAt, Claimed: true}
	keyed := q.o.OrderBy != nil && q.keyOf(t) == nil
	if !q.share.held.Has(q.slotOf(t)) {
		return
	}
	if keyed {
		q.order.hold(t)
	}
	if t.Err = errInterrupted; run.Budget >= run.Attempt {
		t.Ahead, t.Budget, t.Err = true, run.Budget-1, errUnbegun
		q.unbegun++
	}
	q.active[t.Seq] = t
	q.interrupted = append(q.interrupted, t)
}

// unpick forgets the task that was to begin next, if it is of a stored run after a sequence: that is read again.
func (q *Queue) unpick(upTo int64) {
	t := q.picked
	if t == nil || !t.Recorded() || t.Seq <= upTo {
		return
	}
	q.picked = nil
	if k := q.order.keys[t.key]; k != nil && k.running == t.Seq {
		k.running = 0
	}
}

// forget removes the runs of an ordered handler after a sequence from memory; readOn reads them again later.
func (q *Queue) forget(upTo int64) {
	q.unpick(upTo)
	q.order.forget(upTo, q.active)
	q.clock.forget(upTo)
}
