// Package queue decides what comes next for one handler: which attempt may begin now, and when to look again.
//
// A [Source] takes in events and settlements and gives out tasks. A worker (package tasks) runs the tasks and settles them:
//
//	journal, bus ──→ Source.Next ──→ worker: attempt, then a batch of settlements ──→ store
//	                      ↑                                                             │
//	                      └──── Source.Done(task, the store's answer) ←─────────────────┘
//
// [Queue] is the Source of a handler with a plain `on`: each event, or each burst of events, is one run. Other compositions of
// events (joins, windows, delays) will be further implementations of Source; the worker needs nothing else from them.
//
// A Queue is made of these parts, a file each:
//
//   - the follower (follower.go) gives the journal's events in order, from the bus or from the store
//   - the retry clock (clock.go) keeps the runs that wait for their next attempt
//   - keyOrder (order.go, refill.go) makes the events of one key run one after the other
//   - bursts (burst.go) collects the events that are to share a run
//   - pace (pace.go) holds attempts to a rate
//   - the stored runs (stored.go) are read at the start, and whenever memory was too small for all of them
//   - HandOver (handover.go) brings the runs that somebody has retried by hand
//
// # Goroutines
//
// A Source starts none and locks nothing. The goroutine of its worker calls every method, and blocks while the store is read.
// Only a [HandOver] may be used by others.
//
// # Guarantees
//
//   - Every event after the low-water mark is given once for each attempt, unless its run has ended or somebody else's has
//     taken its place. An event is never given twice at a time.
//   - The low-water mark never passes an event without a run, so a kill loses nothing: the next start begins at the mark, and
//     reads the stored runs that have not ended. A start costs no more than that.
//   - Memory is bounded: see the constants of each part. What exceeds them stays in the store until its turn.
package queue

import (
	"context"
	"math"
	"time"

	"evrun/events"
	"evrun/store"
)

// Source is the door between a worker and what decides which task comes next. One goroutine at a time may call it.
type Source interface {
	// Next gives the task to work on now, or nil when there is none: then Wait says what to wait for. A task stays the worker's
	// until Done; one whose end can't be stored is never done, so that the low-water mark doesn't pass it. The error is the
	// store's or ctx's.
	Next(ctx context.Context) (*Task, error)
	// Wait says what may bring the next task after Next gave none: an event from live (nil: no event is wanted now), which must be
	// handed to Received, or the passing of d. The end of an attempt may bring one, too.
	Wait() (live <-chan *events.Event, d time.Duration)
	// Received takes what was read from the channel of Wait.
	Received(e *events.Event, ok bool) error
	// Begin counts an attempt of t that begins now against the handler's rate and concurrency; End says that it has returned. A
	// task that was skipped, or has an Err, needs neither.
	Begin(t *Task)
	End(t *Task)
	// Done takes a task back that the store has settled.
	Done(t *Task, out store.Settled)
	// LowWater is the sequence up to which every event has a run, once these tasks are settled.
	LowWater(settling []*Task) int64
	// Close ends the subscription to the bus.
	Close()
}

// Journal is the part of [store.Store] that a Queue reads.
type Journal interface {
	Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error)
	Head(ctx context.Context) (int64, error)
	Pending(ctx context.Context, h store.HandlerID, limit int) ([]store.Run, error)
	PendingAfter(ctx context.Context, h store.HandlerID, after int64, limit int) ([]store.Run, error)
}

// Options say how a handler wants its tasks. Journal, Bus and Patterns are required.
type Options struct {
	Journal  Journal
	Bus      *events.Bus
	Patterns []events.Pattern
	// OrderBy gives the key of a task's event: those of one key run one after the other. Nil: there is no order.
	OrderBy func(t *Task) (key string, err error)
	Bursts  *Bursts // nil: each event is a run. Not with OrderBy
	// Concurrency is how many attempts may be under way at a time; 0: any number.
	Concurrency int
	// Interval is the time from the beginning of an attempt to that of the next, at least; 0: none.
	Interval time.Duration
	// Retried brings the runs that were retried by hand; nil: there are none.
	Retried *HandOver
	// Now is the clock. Default [time.Now].
	Now func() time.Time
	// MaxKeys is how many keys, and about how many stored runs, an ordered handler has in memory. Default 65536.
	MaxKeys int
}

// Queue is the [Source] of a handler whose runs are for single events or for bursts of events.
type Queue struct {
	o  Options
	id store.HandlerID

	follower    follower
	clock       retryClock
	order       keyOrder
	bursts      *bursts
	pace        pace
	interrupted []*Task         // attempts that were under way when the daemon died, to be given first
	active      map[int64]*Task // given, and not done yet
	running     int             // attempts under way
	paced       bool            // the last Next gave nothing for want of a token
	passed      int             // live events since a starving key was last looked for
}

var _ Source = (*Queue)(nil)

// Open makes the queue of a handler that goes on where the store has it: after its low-water mark, with the runs above or below
// it that have not ended.
func Open(ctx context.Context, o Options, known store.Consumer) (*Queue, error) {
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
	q.follower = newFollower(o.Journal, o.Bus, known.LowWater, o.Patterns)
	q.follower.skip, q.follower.skipTo = known.ID, head
	if o.Bursts != nil {
		q.bursts = newBursts(*o.Bursts)
	}
	q.order.maxKeys, q.order.upTo = o.MaxKeys, math.MaxInt64
	if o.OrderBy == nil {
		return q, q.reload(ctx)
	}
	q.order.upTo, q.clock.all = 0, true
	return q, q.readOn(ctx)
}

// Next gives the task that can begin: attempts that a kill has interrupted, then due retries, then tasks whose key became free, then
// bursts that are over, then new events.
func (q *Queue) Next(ctx context.Context) (*Task, error) {
	for {
		if err := q.takeRetried(ctx); err != nil {
			return nil, err
		}
		room := q.running < q.o.Concurrency
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
		t, err := q.pick(ctx, room)
		if err != nil {
			return nil, err
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
			q.active[t.Seq] = t // it begins no more, and the mark must not pass it
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

// refillEvery is how many live events may pass before keys that starve get a page of the journal.
const refillEvery = 64

// pick gives the task that comes next, or nil when there is none now. Without room for an attempt, only an event for a burst
// can come.
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
	if q.order.full() || q.order.starved > 0 && q.passed >= refillEvery {
		return nil, nil
	}
	q.passed++
	return q.event(ctx)
}

// event gives the task of the next new event, or nil.
func (q *Queue) event(ctx context.Context) (*Task, error) {
	e, err := q.follower.poll(ctx)
	if e == nil || err != nil {
		return nil, err
	}
	return &Task{Event: e, Seq: e.Sequence, Attempt: 1}, nil
}

// fetch reads the event of a task that was kept without it. ok is false when it is gone.
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

// admit says whether a task is for the worker now. If not, it waits: for the attempt of its run that is under way, for its
// burst, or for its key.
func (q *Queue) admit(t *Task) bool {
	if q.active[t.Seq] != nil {
		q.await(t)
		return false
	}
	if q.bursts != nil && t.Attempt == 1 && !t.gathered {
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

// give makes a task the worker's.
func (q *Queue) give(t *Task) {
	t.Started = q.o.Now()
	q.active[t.Seq] = t
}

// keyOf gives t its key.
func (q *Queue) keyOf(t *Task) (err error) {
	t.key, err = q.o.OrderBy(t)
	return err
}

// Wait implements [Source].
func (q *Queue) Wait() (live <-chan *events.Event, d time.Duration) {
	const long = time.Hour // a wake-up for nothing costs little
	room := q.running < q.o.Concurrency && !q.paced
	if (room || q.gathers()) && !q.order.full() {
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

// Received implements [Source]. The event is the next one that Next gives.
func (q *Queue) Received(e *events.Event, ok bool) error { return q.follower.received(e, ok) }

// Begin implements [Source].
func (q *Queue) Begin(t *Task) {
	q.running++
	q.pace.take(t.Started)
}

// End implements [Source].
func (q *Queue) End(*Task) { q.running-- }

// Done implements [Source]. A run that will be tried again keeps its place in the order of its key.
func (q *Queue) Done(t *Task, out store.Settled) {
	if !out.Fenced && out.State == store.Retrying {
		budget := t.Budget
		if out.Uncounted {
			budget++
		}
		t.follow(&Task{Seq: t.Seq, ID: t.ID, Attempt: t.Attempt + 1, Budget: budget, due: out.NextAttemptAt})
	}
	delete(q.active, t.Seq)
	next := t.next
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

// LowWater implements [Source].
func (q *Queue) LowWater(settling []*Task) int64 {
	mark := q.follower.after
	if upTo, ok := q.follower.idle(); ok {
		mark = upTo
	}
	for _, t := range settling {
		t.settling = true
	}
	for _, t := range q.active {
		if t.Attempt == 1 && !t.settling { // later attempts have their row
			mark = min(mark, t.lowest()-1)
		}
	}
	for _, t := range settling {
		t.settling = false
	}
	if q.bursts != nil {
		mark = min(mark, q.bursts.lowest()-1)
	}
	return min(mark, q.order.lowest()-1)
}

// Close implements [Source].
func (q *Queue) Close() { q.follower.close() }
