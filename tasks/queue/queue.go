// Package queue decides which attempt of one handler may begin next, and when to check again.
//
// A [Source] receives events and settlements and returns tasks. A worker (package tasks) runs the tasks and settles them:
//
//	journal, bus ──→ Source.Next ──→ worker: attempt, then a batch of settlements ──→ store
//	                      ↑                                                             │
//	                      └──── Source.Done(task, the store's answer) ←─────────────────┘
//
// [Queue] is the Source of a handler with a plain `on`: each event, or each burst of events, is one run. Other compositions of events (joins,
// windows, delays) will be further implementations of Source; the worker needs only this interface.
//
// A Queue consists of these parts, one per file:
//
//   - the follower (follower.go) returns the journal's events in order, from the bus or from the store
//   - the retry clock (clock.go) keeps the runs that wait for their next attempt
//   - keyOrder (order.go, refill.go) makes the events of one key run one after the other
//   - bursts (burst.go) collects the events that are to share a run
//   - pace (pace.go) holds attempts to a rate
//   - waits.go says what tasks wait for
//   - stored.go reads the stored runs at the start, and later those that had no room in memory
//   - slots.go adds slots of the handler to the queue, and takes them out of it
//   - HandOver (handover.go) passes on the runs that people retry or cancel (by_hand.go)
//
// # Slots
//
// Each event of a handler is in one of 64 slots, by its order key if it has one, and one daemon at a time has a slot (see [store.Leases]). A queue gives
// tasks of its own slots alone. Three facts about each slot are kept apart, because events are lost where one is taken for another:
//
//   - The mark is in the store: every event of the slot up to there has a run. It may be lower than what is true, and never higher. So whoever gains the
//     slot reads all events after it, and leaves out those that have a run.
//   - share.from is in memory: the queue has taken the slot's events up to there, or they have runs. At first it is the mark.
//   - The follower's position is one for all slots. When slots are gained it goes back to their mark, if that is lower. What it returns again of
//     the other slots is dropped, by their share.from, which is set to the old position then; so is what this queue did not get.
//
// Up to the journal's head at the moment of a gain, the events of the slots may have runs of the last holder: the follower reads these from the journal,
// not from the bus, and only those without a run. After it, nobody else can have begun one.
//
// The low-water mark that [Queue.LowWater] returns holds for the slots in [Queue.Held], and no others: it goes back with the follower, and counts nothing
// of slots that have left. So the worker stores it for these slots only. A mark that was true of a slot stays true, whoever has it, since runs stay.
//
// What is only in the journal of a key (order.go, refill.go) reaches up to what the follower had returned of the key's slot before it went back: Queue.seen.
//
// # Goroutines
//
// A Source starts no goroutines and locks nothing. Its worker's goroutine calls every method, and blocks while the store is read. Only a [HandOver]
// may be used by other goroutines.
//
// # Guarantees
//
//   - Every event after the low-water mark is returned once for each attempt, unless its run has ended or the run of another handler has replaced it.
//     An event is never with the worker twice at the same time.
//   - The low-water mark never passes an event without a run, so a kill loses nothing: the next start begins at the mark, and reads the stored runs
//     that have not ended. A start reads nothing else.
//   - Memory is bounded: see the constants of each part. Tasks beyond these bounds stay in the store until their turn.
package queue

import (
	"context"
	"errors"
	"math"
	"time"

	"evrun/events"
	"evrun/store"
)

// Options are the handler's settings for its queue. Journal, Bus and Patterns are required.
type Options struct {
	Journal  Journal
	Bus      *events.Bus
	Patterns []events.Pattern
	// OrderBy returns the key of a task's event: events with one key run one after the other. Nil: no order.
	OrderBy func(t *Task) (key string, err error)
	Bursts  *Bursts // nil: each event is a run. Not with OrderBy
	// Concurrency is how many attempts may run at a time; 0: any number.
	Concurrency int
	// Ahead returns how many attempts more may be with the worker, so that it can record their start while others run. Nil: none. Not with OrderBy or
	// Bursts, which decide late, or with an Interval.
	Ahead func() int
	// Single says that all events are in one slot: see [store.Division].
	Single bool
	// Shared says that other daemons may have had the handler's slots, or have changed its runs.
	Shared bool
	// Interval is the minimum time between the beginnings of two attempts; 0: none.
	Interval time.Duration
	// Changed delivers the runs that people have retried or cancelled; nil: none.
	Changed *HandOver
	// Cancelled is called in TakeChanged and Next, with the run's reason, for a task that the worker has and whose run was cancelled or is being cancelled.
	// It must not call the queue.
	Cancelled func(t *Task, reason string)
	// Now is the clock. Default [time.Now].
	Now func() time.Time
	// MaxKeys is how many keys, and about how many stored runs, an ordered handler has in memory. Default 65536.
	MaxKeys int
}

// Queue is the [Source] of a handler whose runs are for single events or for bursts of events.
type Queue struct {
	o  Options
	id store.HandlerID

	share       share
	follower    follower
	clock       retryClock
	order       keyOrder
	bursts      *bursts
	pace        pace
	interrupted []*Task         // attempts that were running when the daemon died; returned first
	unbegun     int             // of those that were claimed ahead, not yet done: no event passes them
	active      map[int64]*Task // with the worker: returned by Next, not yet done
	running     int             // running attempts
	paced       bool            // the last Next returned nil because there was no token
	passed      int             // live events since the last refill
	picked      *Task           // begins next: its event could not be read when its turn came
	unread      bool            // without an order: slots were gained, and their stored runs must be read
}

var _ Source = (*Queue)(nil)

// Open returns the queue of a handler, with the slots of some grants: see [Queue.Gain].
func Open(ctx context.Context, o Options, known store.Consumer, grants ...store.Grant) (*Queue, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Concurrency <= 0 {
		o.Concurrency = math.MaxInt
	}
	if o.MaxKeys <= 0 {
		o.MaxKeys = defaultMaxKeys
	}
	q := &Queue{o: o, id: known.ID, pace: pace{interval: o.Interval}, active: map[int64]*Task{}}
	head, err := o.Journal.Head(ctx)
	if err != nil {
		return nil, err
	}
	q.follower = newFollower(o.Journal, o.Bus, known.LowWater, head, o.Patterns)
	q.follower.skip, q.follower.takes = known.ID, known.Takes
	if o.Bursts != nil {
		q.bursts = newBursts(*o.Bursts)
	}
	q.order.maxKeys, q.order.upTo, q.clock.all = o.MaxKeys, math.MaxInt64, o.OrderBy != nil
	q.order.maxParked, q.order.maxParkedKey = maxParked, maxParkedKey
	if o.OrderBy == nil && !o.Single {
		q.follower.narrow = q.share.narrow
	}
	for _, g := range grants {
		q.gain(g, head)
	}
	return q, q.readPending(ctx)
}

// Next returns the next task that can begin: first attempts that a kill interrupted, then due retries, tasks whose key became free, bursts that are
// over, and new events.
func (q *Queue) Next(ctx context.Context) (_ *Task, err error) {
	for {
		if err := q.TakeChanged(ctx); err != nil {
			return nil, err
		}
		room := q.running < q.most()
		q.paced = room && q.pace.wait(q.o.Now) > 0
		if room = room && !q.paced; room {
			if err := q.readPending(ctx); err != nil {
				return nil, err
			}
		}
		if len(q.interrupted) > 0 {
			t := q.interrupted[0]
			q.interrupted = q.interrupted[1:]
			return t, nil
		}
		t := q.picked
		if q.picked = nil; t == nil || !room {
			q.picked = t
			if t, err = q.pick(ctx, room); err != nil {
				return nil, err
			}
		}
		if t == nil {
			if !room || q.order.starved == 0 || q.order.partial() {
				return nil, nil
			}
			q.passed = 0
			if err := q.refill(ctx); err != nil {
				return nil, err
			}
			continue
		}
		ok, err := q.fetch(ctx, t)
		if err != nil {
			q.picked = t
			return nil, err
		}
		if !ok {
			q.order.release(t)
			continue
		}
		if q.admit(t) {
			return t, nil
		}
	}
}

// most is how many attempts the worker may have.
func (q *Queue) most() int {
	if q.o.Ahead == nil {
		return q.o.Concurrency
	}
	return q.o.Concurrency + q.o.Ahead()
}

// refillEvery is how many live events may pass before a page of the journal is read for starving keys.
const refillEvery = 64

// pick returns the next task, or nil if there is none now. If no attempt is free, it can only add an event to a burst.
func (q *Queue) pick(ctx context.Context, room bool) (*Task, error) {
	if !room {
		if !q.gathers() {
			return nil, nil
		}
		return q.event(ctx)
	}
	if t := q.clock.take(q.o.Now); t != nil {
		return t, nil
	}
	if t := q.order.next(); t != nil {
		return t, nil
	}
	if t, err := q.burst(ctx); t != nil || err != nil {
		return t, err
	}
	if q.unbegun > 0 || q.order.full() || q.order.starved > 0 && q.passed >= refillEvery {
		return nil, nil
	}
	q.passed++
	return q.event(ctx)
}

// event returns the task of the next new event of the queue's slots, or nil.
func (q *Queue) event(ctx context.Context) (*Task, error) {
	for q.share.held != 0 {
		e, err := q.follower.poll(ctx)
		if e == nil || err != nil {
			return nil, err
		}
		if t := (&Task{Event: e, Seq: e.Sequence, Attempt: 1}); q.mine(t) {
			return t, nil
		}
		q.follower.passOver(e)
	}
	return nil, nil
}

// fetch reads the event of a task that was kept without it. ok is false if the event was deleted.
func (q *Queue) fetch(ctx context.Context, t *Task) (ok bool, err error) {
	if t.Event != nil {
		return true, nil
	}
	page, err := q.o.Journal.Events(ctx, store.EventQuery{After: t.Seq - 1, Before: t.Seq + 1})
	if err != nil || len(page) == 0 {
		return false, err
	}
	t.Event = page[0]
	return true, nil
}

// admit reports whether the worker can have a task now. If not, the task waits for a running attempt of its run, for its burst, or for its key.
func (q *Queue) admit(t *Task) bool {
	if q.active[t.Seq] != nil {
		q.await(t)
		return false
	}
	if q.bursts != nil && t.First() && !t.gathered {
		return q.gather(t)
	}
	if q.o.OrderBy != nil && t.key == "" {
		t.Err = q.keyOf(t)
	}
	if t.key != "" && !q.order.enter(t) {
		return false
	}
	q.give(t)
	return true
}

// give records that the worker has a task.
func (q *Queue) give(t *Task) {
	t.Started = q.o.Now()
	q.active[t.Seq] = t
}

// keyOf sets t's key.
func (q *Queue) keyOf(t *Task) (err error) {
	t.key, err = q.o.OrderBy(t)
	return err
}

// Wait implements [Source].
func (q *Queue) Wait() (live <-chan []*events.Event, d time.Duration) {
	const long = time.Hour // an unnecessary wake-up costs little
	room := q.running < q.most() && !q.paced
	if (room || q.gathers()) && !q.order.full() && q.share.held != 0 {
		live = q.follower.c()
	}
	if q.paced {
		return live, q.pace.wait(q.o.Now)
	}
	if d = long; !room {
		return live, d
	}
	if at, ok := q.clock.next(); ok {
		d = min(d, at.Sub(q.o.Now()))
	}
	if q.bursts != nil {
		if at, ok := q.bursts.next(); ok {
			d = min(d, max(recheckAfter, at.Sub(q.o.Now())))
		}
	}
	return live, max(0, d)
}

// Received implements [Source]. The events are the next ones that Next gives.
func (q *Queue) Received(batch []*events.Event, ok bool) error { return q.follower.received(batch, ok) }

// Begin implements [Source].
func (q *Queue) Begin(t *Task) {
	q.running++
	q.pace.take(t.Started)
}

// End implements [Source].
func (q *Queue) End(*Task) { q.running-- }

// Done implements [Source]. A run that will be tried again keeps its place in the order of its key.
func (q *Queue) Done(t *Task, out store.Settled) {
	if !out.Fenced && out.State == store.Retrying && !t.cancelled {
		budget := t.Budget
		if out.Uncounted {
			budget++
		}
		t.follow(&Task{Seq: t.Seq, ID: t.ID, Attempt: t.Attempt + 1, Budget: budget, due: out.NextAttemptAt})
	}
	if !out.Fenced && out.State != store.Cancelled && t.next != nil && t.next.Attempt == t.Attempt {
		t.next = nil // this was it
	}
	if out.Fenced && t.gathered && t.First() && !t.left {
		q.bursts.again(t.Joins, q.o.Now())
	}
	q.over(t)
	next := t.next
	if t.left { // whoever has the slot reads it from the store
		next = nil
	} else if out.Fenced && q.o.Shared {
		q.o.Changed.Reread() // what was known of the run was old
	}
	if t.key == "" {
		if next != nil {
			q.clock.add(next)
		}
		return
	}
	if next == nil || t.Seq > q.order.upTo { // the store has the others
		q.order.release(t)
		return
	}
	next.key = t.key
	q.clock.add(next)
	q.order.again(t)
}

// over records that the worker has a task no more.
func (q *Queue) over(t *Task) {
	delete(q.active, t.Seq)
	if errors.Is(t.Err, errUnbegun) {
		q.unbegun--
	}
}

// Close implements [Source].
func (q *Queue) Close() { q.follower.close() }
