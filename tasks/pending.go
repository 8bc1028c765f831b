package tasks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"evrun/events"
	"evrun/store"
)

// A stored run that waits for its next attempt reaches its consumer's memory on three ways: it is read from the store, it is
// what an attempt ended with, or it was retried by hand and is handed over. All of them end in consumer.await, which keeps each
// run once, and loses none: while an attempt of it is under way, what comes next waits for that one's end.

// await has a stored run wait for its next attempt. Of two tasks of one run the one with the later attempt counts; the other is
// what the store had before.
func (c *consumer) await(t *task) {
	if a := c.active[t.seq]; a != nil {
		a.follow(t)
		return
	}
	c.clock.add(t)
}

// follow keeps next until t's attempt has ended.
func (t *task) follow(next *task) {
	if next.attempt > t.attempt && (t.next == nil || next.attempt > t.next.attempt) {
		t.next = next
	}
}

func retrying(run *store.Run) *task {
	return &task{seq: run.Sequence, id: run.ID, attempt: run.Attempt + 1, budget: run.Budget, due: run.NextAttemptAt}
}

// readPending takes what was retried by hand, and reads on in the store where memory had no room for all that is there.
func (c *consumer) readPending(ctx context.Context) error {
	if err := c.lookForRetried(ctx); err != nil {
		return err
	}
	switch {
	case c.h.OrderBy == nil && c.clock.exhausted():
		return c.reload(ctx)
	case c.order.partial() && c.order.stored <= maxHeldKeys/4:
		return c.readOn(ctx)
	}
	return nil
}

// reload fills the retry clock from the store with what is due first. An ordered handler's is filled by readOn.
func (c *consumer) reload(ctx context.Context) error {
	const limit = maxRetriesInMemory / 2
	c.clock.horizon = time.Time{}
	runs, err := c.r.o.Store.Pending(ctx, c.id, limit+len(c.active))
	if err != nil {
		return fmt.Errorf("read pending runs: %w", err)
	}
	for i := range runs {
		run := &runs[i]
		if run.State != store.Running {
			c.await(retrying(run))
			continue
		}
		t := &task{seq: run.Sequence}
		if ok, err := c.fetch(ctx, t); err != nil {
			return err
		} else if ok {
			if err := c.interrupted(ctx, run, t.event); err != nil {
				return err
			}
		}
	}
	if len(runs) == limit+len(c.active) {
		c.clock.horizon = runs[len(runs)-1].NextAttemptAt
	}
	return nil
}

// readOn reads stored runs of an ordered handler, in order of sequence, until all are known or memory has enough of them.
func (c *consumer) readOn(ctx context.Context) error {
	for c.order.partial() && c.order.stored < max(1, maxHeldKeys/2) {
		runs, err := c.r.o.Store.PendingAfter(ctx, c.id, c.order.upTo, followPage)
		if err != nil {
			return fmt.Errorf("read pending runs: %w", err)
		}
		if err := c.arrange(ctx, runs); err != nil {
			return err
		}
		if len(runs) < followPage {
			c.order.complete()
		} else {
			c.order.upTo = runs[len(runs)-1].Sequence
		}
	}
	return nil
}

// arrange gives stored runs of an ordered handler their places. Their events are read again when their turn comes.
func (c *consumer) arrange(ctx context.Context, runs []store.Run) error {
	sequences := make([]int64, len(runs))
	for i := range runs {
		sequences[i] = runs[i].Sequence
	}
	evs := map[int64]*events.Event{}
	for after := int64(-1); ; {
		page, err := c.r.o.Store.Events(ctx, store.EventQuery{Sequences: sequences, After: after})
		if err != nil {
			return fmt.Errorf("read the events of pending runs: %w", err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			evs[e.Sequence], after = e, e.Sequence
		}
	}
	for i := range runs {
		run := &runs[i]
		e := evs[run.Sequence]
		switch {
		case e == nil: // deleted
		case run.State == store.Running:
			if err := c.interrupted(ctx, run, e); err != nil {
				return err
			}
		default:
			t := retrying(run)
			t.event = e
			key, err := c.keyOf(c.delivery(t))
			t.event = nil
			if err == nil { // else its next attempt says so
				t.key = key
				if c.active[t.seq] == nil {
					c.order.hold(t)
				}
			}
			c.await(t)
		}
	}
	return nil
}

// interrupted deals with an attempt that was under way when the daemon died. Whether it did its work is unknown, so it
// counts as a failed one: at least once, and a command that takes the daemon down does not do so for ever.
func (c *consumer) interrupted(ctx context.Context, run *store.Run, e *events.Event) error {
	if c.active[run.Sequence] != nil {
		return nil // this consumer's own
	}
	t := &task{event: e, seq: run.Sequence, id: run.ID, attempt: run.Attempt, budget: run.Budget, started: run.StartedAt, claimed: true}
	d := c.delivery(t)
	if c.h.OrderBy != nil {
		if key, err := c.keyOf(d); err == nil {
			t.key = key
			c.order.hold(t)
		}
	}
	if err := c.giveEvents(ctx, t, d); err != nil { // on_dead may see them
		return err
	}
	c.active[t.seq] = t
	c.settle(t, c.settlement(t, c.failed(t, d, errors.New("evrun was stopped or killed while this attempt ran"))))
	return nil
}

// lookForRetried is takeRetried if there is something: what was handed over comes before what begins afterwards.
func (c *consumer) lookForRetried(ctx context.Context) error {
	select {
	case <-c.retried.some:
		return c.takeRetried(ctx)
	default:
		return nil
	}
}

// takeRetried takes what was handed over.
func (c *consumer) takeRetried(ctx context.Context) error {
	runs, all := c.retried.take()
	if len(runs) == 0 && all {
		return nil
	}
	if c.h.OrderBy == nil {
		if !all {
			return c.reload(ctx)
		}
		for i := range runs {
			c.await(retrying(&runs[i]))
		}
		return nil
	}
	if !all {
		c.forget(0)
		return c.readOn(ctx)
	}
	known := runs[:0]
	for _, run := range runs {
		if run.Sequence <= c.order.upTo {
			known = append(known, run)
		}
	}
	if err := c.arrange(ctx, known); err != nil {
		return err
	}
	if c.order.stored > maxHeldKeys+maxHeldKeys/4 {
		c.forget(c.order.lower())
	}
	return nil
}

// forget leaves the runs of an ordered handler beyond a sequence to the store: readOn brings them again.
func (c *consumer) forget(upTo int64) {
	c.order.forget(upTo)
	c.clock.forget(upTo)
}

// handOver takes runs from whoever retried them to their consumer. Nobody waits, and nothing is lost: for runs beyond its bound,
// and whatever a consumer did not take because it has not begun, or ends, the store is read.
type handOver struct {
	mu   sync.Mutex
	runs []store.Run
	more bool          // there were more of them
	some chan struct{} // has a token when there may be some
}

func newHandOver() *handOver { return &handOver{some: make(chan struct{}, 1)} }

func (h *handOver) give(runs []store.Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.runs)+len(runs) <= maxRetriesInMemory && !h.more {
		h.runs = append(h.runs, runs...)
	} else {
		h.runs, h.more = nil, true
	}
	select {
	case h.some <- struct{}{}:
	default:
	}
}

// take returns what was given since the last call; all is false when there was more, which the store has.
func (h *handOver) take() (runs []store.Run, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	runs, all = h.runs, !h.more
	h.runs, h.more = nil, false
	return runs, all
}
