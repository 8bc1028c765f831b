package tasks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
)

// defaultConcurrency is how many attempts of one handler run at a time, unless it says otherwise.
const defaultConcurrency = 4

// maxSettleBatch is how many runs a consumer settles in one go, and so how many it prepares ahead of the writer.
const maxSettleBatch = 512

// consumer runs one handler. Its goroutine, in run, owns every field; attempts of outside handlers and the one batch that
// is being settled are goroutines that report back over channels, and are waited for.
//
// What a handler's condition skips and what an inside handler writes needs no goroutine: it goes straight into the next
// batch, and a batch is settled while the next one is prepared.
type consumer struct {
	r      *Runner
	h      *Handler
	id     store.HandlerID
	source string // of the events that it emits
	atomic bool   // what it emits may be refused after an effect was written

	follower *Follower
	clock    retryClock
	order    keyOrder
	bursts   *bursts // with a debounce
	pace     pace
	paced    bool            // fill had nothing to begin for want of a token
	passed   int             // live events since a starving key was last looked for
	active   map[int64]*task // taken, and not settled yet
	running  int             // attempts of the outside handler under way
	batch    []settling      // to be settled next
	writing  bool            // a batch is being settled
	singly   int             // so many of batch go alone: one of them can't be stored
	moved    int64           // the low-water mark that is in the store
	moving   int64           // the one that the batch under way takes there

	attempts chan attemptDone
	written  chan []settling
	retried  *handOver     // from Runner.Retry
	mark     chan struct{} // from Runner.sweep
	ask      chan chan consumerStatus
	ended    chan struct{} // closed when run returns
	failure  error
}

// settling is a settlement with the task that it is for, and with its answer.
type settling struct {
	t   *task
	s   store.Settlement
	out store.Settled
	err error
}

// attemptDone is what an attempt of an outside handler brought.
type attemptDone struct {
	t        *task
	d        *Delivery
	result   any
	err      error // the handler's
	cutShort bool  // by the daemon's stop
	fenced   bool  // the run is somebody else's
	storeErr error // the attempt could not be recorded, and so did not begin
}

func newConsumer(r *Runner, h *Handler) *consumer {
	c := &consumer{
		r: r, h: h.WithDefaults(), pace: pace{interval: h.Rate.Interval()}, source: r.o.Emitter.Source("/handlers/" + h.Name),
		atomic:   len(h.Emit) > 0,
		active:   map[int64]*task{},
		attempts: make(chan attemptDone), written: make(chan []settling), retried: newHandOver(),
		mark: make(chan struct{}), ask: make(chan chan consumerStatus), ended: make(chan struct{}),
	}
	if c.h.Debounce != nil {
		c.bursts = newBursts(*c.h.Debounce)
	}
	if c.h.OrderBy == nil {
		c.order.upTo = math.MaxInt64
	} else {
		c.clock.all = true
	}
	return c
}

// open takes up where the handler was: the low-water mark, and the runs above or below it that are not settled.
func (c *consumer) open(ctx context.Context, known store.Consumer) error {
	c.id, c.moved = known.ID, known.LowWater
	head, err := c.r.o.Store.Head(ctx)
	if err != nil {
		return err
	}
	c.follower = NewFollower(c.r.o.Store, c.r.o.Bus, known.LowWater, c.h.On...)
	c.follower.skip, c.follower.skipTo = known.ID, head
	if c.h.OrderBy != nil {
		return c.readOn(ctx)
	}
	return c.reload(ctx)
}

// run handles events until ctx ends and what was begun is settled. work is the context of attempts: it outlives ctx.
func (c *consumer) run(ctx, work context.Context) error {
	defer close(c.ended)
	defer c.follower.Close()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		stopping := ctx.Err() != nil || c.failure != nil
		more := !stopping && c.fill(ctx, work)
		c.flush(work)
		if stopping && c.running == 0 && !c.writing && len(c.batch) == 0 {
			if c.failure == nil {
				c.moveMark(work)
			}
			return c.failure
		}
		live, done := c.follower.C(), ctx.Done()
		var lastCall chan struct{}
		if stopping {
			if c.running > 0 {
				lastCall = c.r.lastCall
			}
			live, done = nil, nil
			timer.Reset(time.Hour)
		} else {
			if !more || c.order.full() {
				live = nil
			}
			timer.Reset(c.untilDue())
		}
		select {
		case e, ok := <-live:
			e, err := c.follower.received(e, ok)
			if err != nil {
				c.fail(err)
			} else if e != nil {
				if err := c.lookForRetried(ctx); err != nil {
					c.failUnless(ctx, err)
				}
				c.take(work, &task{event: e, seq: e.Sequence, attempt: 1})
			}
		case a := <-c.attempts:
			c.running--
			c.attempted(a)
		case batch := <-c.written:
			c.writing = false
			c.settled(batch)
		case <-c.retried.some:
			if err := c.takeRetried(ctx); err != nil {
				c.failUnless(ctx, err)
			}
		case <-c.mark:
			c.moveMark(work)
		case to := <-c.ask:
			to <- consumerStatus{lowWater: c.lowWater(), running: c.running, inFlight: c.inFlight()}
		case <-timer.C:
		case <-lastCall:
			c.abandon()
		case <-done:
		}
	}
}

// abandon gives up on the attempts that have not ended. Their runs stay as they are in the store, running.
func (c *consumer) abandon() {
	if c.running > 0 {
		c.fail(fmt.Errorf("%d of its attempts went on after the grace period; the next start counts them as failed", c.running))
		c.running = 0
	}
}

// fail ends the consumer: its journal can't be read.
func (c *consumer) fail(err error) {
	if c.failure == nil {
		c.failure = err
	}
}

// failUnless is fail, unless err comes of the end of ctx.
func (c *consumer) failUnless(ctx context.Context, err error) {
	if ctx.Err() == nil {
		c.fail(err)
	}
}

// free says whether another attempt has a place.
func (c *consumer) free() bool {
	if len(c.batch) >= maxSettleBatch {
		return false
	}
	switch c.h.Action.(type) {
	case Reading, Outside:
		return c.running < c.h.Concurrency
	}
	return true
}

// gathers says whether events can be taken into bursts, which needs no attempt to begin.
func (c *consumer) gathers() bool {
	return c.bursts != nil && c.bursts.room() && len(c.batch) < maxSettleBatch
}

// untilDue is how long the retry clock, the bursts and the rate can wait. An attempt or a batch that ends wakes the consumer
// by itself.
func (c *consumer) untilDue() time.Duration {
	if c.paced {
		return c.pace.wait()
	}
	wait := time.Hour
	if !c.free() {
		return wait
	}
	if at, ok := c.clock.next(); ok {
		wait = min(wait, time.Until(at))
	}
	if c.bursts != nil {
		if at, ok := c.bursts.next(); ok {
			wait = min(wait, max(recheckAfter, time.Until(at)))
		}
	}
	return max(0, wait)
}

// fill begins what can be begun: due retries, then what a freed key lets go, then bursts that are over, then new events. It
// says whether a further event could be taken.
func (c *consumer) fill(ctx, work context.Context) (more bool) {
	for c.failure == nil {
		room := c.free()
		c.paced = room && c.pace.wait() > 0
		room = room && !c.paced
		if !room && !c.gathers() {
			return false
		}
		t, err := c.pick(ctx, room)
		if err != nil {
			c.failUnless(ctx, err)
			return false
		}
		if t == nil {
			return room || c.gathers()
		}
		c.take(work, t)
	}
	return false
}

// refillEvery is how many live events may pass before keys that starve get a page of the journal.
const refillEvery = 64

// pick gives the task that comes next, or nil when there is none now. Without room for an attempt, only an event for a burst
// can come.
func (c *consumer) pick(ctx context.Context, room bool) (*task, error) {
	for {
		if !room {
			return c.pickEvent(ctx)
		}
		if err := c.readPending(ctx); err != nil {
			return nil, err
		}
		t := c.clock.take(time.Now())
		if t == nil {
			t = c.order.next()
		}
		if t == nil {
			var err error
			if t, err = c.pickBurst(ctx); err != nil {
				return nil, err
			}
		}
		if t == nil {
			starving := c.order.starved > 0
			if !c.order.full() && (!starving || c.passed < refillEvery) {
				t, err := c.pickEvent(ctx)
				if t != nil || err != nil {
					c.passed++
					return t, err
				}
			}
			if !starving || c.order.partial() {
				return nil, nil
			}
			c.passed = 0
			if err := c.refill(ctx); err != nil {
				return nil, err
			}
			continue
		}
		ok, err := c.fetch(ctx, t)
		if err != nil {
			c.active[t.seq] = t // it begins no more, and the mark must not pass it
			return nil, err
		}
		if ok {
			return t, nil
		}
		c.order.release(t)
	}
}

// pickEvent gives the task of the next new event, or nil.
func (c *consumer) pickEvent(ctx context.Context) (*task, error) {
	e, err := c.follower.poll(ctx)
	if e == nil || err != nil {
		return nil, err
	}
	return &task{event: e, seq: e.Sequence, attempt: 1}, nil
}

// fetch reads the event of a task that was kept without it. ok is false when it is gone.
func (c *consumer) fetch(ctx context.Context, t *task) (ok bool, err error) {
	if t.event != nil {
		return true, nil
	}
	page, err := c.r.o.Store.Events(ctx, store.EventQuery{After: t.seq - 1, Before: t.seq + 1})
	if err != nil || len(page) == 0 {
		return false, err
	}
	t.event = page[0]
	return true, nil
}

// take begins an attempt.
func (c *consumer) take(work context.Context, t *task) {
	if c.active[t.seq] != nil {
		c.await(t)
		return
	}
	if c.bursts != nil && t.attempt == 1 && !t.gathered {
		c.gather(t)
		return
	}
	d := c.delivery(t)
	t.started, t.claimed = time.Now(), false
	var err error
	if c.h.OrderBy != nil && t.key == "" {
		t.key, err = c.keyOf(d)
	}
	if t.key != "" && !c.order.enter(t) {
		return // parked
	}
	c.active[t.seq] = t
	ok := false
	if err == nil {
		ok, err = c.wanted(d)
	}
	switch {
	case err != nil:
		c.settle(t, c.settlement(t, c.failed(t, d, err)))
	case !ok:
		c.settle(t, c.settlement(t, store.Outcome{State: store.Skipped}))
	default:
		c.pace.take(t.started)
		switch action := c.h.Action.(type) {
		case Reading:
			read := func(ctx context.Context, d *Delivery) (any, error) { return action.Read(ctx, c.r.o.Store, d) }
			c.begin(work, t, d, read, false)
		case Inside:
			if err := c.giveEvents(work, t, d); err != nil {
				c.stuck(err) // it stays active
				return
			}
			c.settle(t, c.inside(t, d, action))
		case Computed:
			if err := c.giveEvents(work, t, d); err != nil {
				c.stuck(err) // it stays active
				return
			}
			c.settle(t, c.computed(t, d, action))
		case Outside:
			c.begin(work, t, d, action.Do, true)
		default:
			c.settle(t, c.settlement(t, c.failed(t, d, Permanent(fmt.Errorf("kind %q can't be run", c.h.Kind)))))
		}
	}
}

// begin runs an attempt in a goroutine of its own; with claim it is recorded first.
func (c *consumer) begin(work context.Context, t *task, d *Delivery, do func(context.Context, *Delivery) (any, error), claim bool) {
	c.running++
	t.attempting = true
	go func() {
		a := c.outside(work, t, d, do, claim)
		select {
		case c.attempts <- a:
		case <-c.ended: // it was abandoned
		}
	}()
}

// attempted takes what an outside attempt brought.
func (c *consumer) attempted(a attemptDone) {
	a.t.attempting = false
	switch {
	case a.storeErr != nil:
		c.stuck(a.storeErr) // it stays active: the mark must not pass it
	case a.fenced:
		c.over(a.t)
	case a.cutShort:
		c.settle(a.t, c.settlement(a.t, c.cutShort(a.err)))
	case a.err != nil:
		c.settle(a.t, c.settlement(a.t, c.failed(a.t, a.d, a.err)))
	default:
		c.settle(a.t, c.settlement(a.t, c.succeeded(a.t, a.d, a.result)))
	}
}

func (c *consumer) settle(t *task, s store.Settlement) {
	c.batch = append(c.batch, settling{t: t, s: s})
}

// flush hands the batch to the writer, unless one is there already.
func (c *consumer) flush(work context.Context) {
	if c.writing || len(c.batch) == 0 {
		return
	}
	batch := c.batch
	if c.batch = nil; c.singly > 0 {
		batch, c.batch = batch[:1:1], batch[1:]
		c.singly--
	}
	for _, b := range batch {
		delete(c.active, b.t.seq) // for the mark: the batch's own transaction settles them
	}
	c.moving = c.lowWater()
	b := store.SettleBatch{Settlements: make([]store.Settlement, len(batch)), Marks: []store.Mark{{Handler: c.id, LowWater: c.moving}}}
	for i := range batch {
		b.Settlements[i] = batch[i].s
		c.active[batch[i].t.seq] = batch[i].t
	}
	c.writing = true
	go func() {
		settled, err := c.write(work, b)
		for i := range batch {
			if i < len(settled) {
				batch[i].out, batch[i].err = settled[i], nil
			} else {
				batch[i].err = err
			}
		}
		c.written <- batch
	}()
}

// write settles a batch, and returns the answers of those that are settled, from the first on. While the store has no space it
// tries again; at a stop it gives up, for the next start to redo.
func (c *consumer) write(work context.Context, b store.SettleBatch) (settled []store.Settled, err error) {
	ctx := context.WithoutCancel(work)
	if slices.ContainsFunc(b.Settlements, func(s store.Settlement) bool { return s.Statement != nil }) {
		ctx = work // a batch of slow statements does not hold up a stop
	}
	for {
		some, err := c.r.o.Store.Settle(ctx, b)
		settled = append(settled, some...)
		if err == nil || !temporary(err) {
			return settled, err
		}
		b.Settlements = b.Settlements[len(some):]
		c.r.o.Log.Warn("results can't be stored now; trying again", "handler", c.h.Name, "runs", len(b.Settlements), "error", err)
		if !pause(work, storeRetryEvery) {
			return settled, err
		}
	}
}

// settled takes the writer's answers.
func (c *consumer) settled(batch []settling) {
	if i := slices.IndexFunc(batch, func(b settling) bool { return b.err != nil }); i < 0 {
		c.moved = c.moving
	} else {
		rest := batch[i:]
		batch = batch[:i:i]
		defer c.unsettled(rest, rest[0].err)
	}
	for _, b := range batch {
		t := b.t
		switch {
		case b.out.Fenced:
			c.r.o.Log.Debug("a late settlement was left out", "handler", c.h.Name, "seq", t.seq, "attempt", t.attempt)
		case b.out.State == store.Retrying:
			c.log(t, b.out.Outcome)
			if b.out.Uncounted {
				t.budget++
			}
			t.follow(&task{seq: t.seq, id: t.id, attempt: t.attempt + 1, budget: t.budget, due: b.out.NextAttemptAt})
		case b.out.State == store.Dead:
			c.log(t, b.out.Outcome)
		}
		c.over(t)
	}
}

// unsettled deals with a batch that the store did not take. Its tasks stay active, so that the mark doesn't pass them.
func (c *consumer) unsettled(batch []settling, err error) {
	switch {
	case temporary(err) || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrBroken) || errors.Is(err, context.Canceled):
		c.stuck(err)
	case len(batch) > 1: // one of them can't be stored: the others can
		c.batch = append(batch, c.batch...)
		c.singly = len(batch)
	default:
		t := batch[0].t
		last := batch[0].s.Outcome // the outcome that can't be stored, unless an effect gives it
		over := batch[0].s.Effect == nil && last.State == store.Dead
		if over && len(last.Emit) == 0 {
			c.fail(err)
			return
		}
		err = fmt.Errorf("its result can't be stored: %w", err)
		out := store.Outcome{State: store.Dead, Error: err.Error()}
		if !over {
			out = c.dead(t, c.delivery(t), err)
		}
		c.batch = append([]settling{{t: t, s: c.settlement(t, out)}}, c.batch...)
		c.singly++
	}
}

// stuck ends the consumer when the store takes nothing more; at a stop that is as it should be.
func (c *consumer) stuck(err error) {
	if !errors.Is(err, store.ErrClosed) && !errors.Is(err, context.Canceled) && !temporary(err) {
		c.fail(err)
	}
}

func (c *consumer) log(t *task, out store.Outcome) {
	args := []any{"handler", c.h.Name, "event", t.event.ID, "type", t.event.Type, "attempt", t.attempt, "error", out.Error}
	if out.State == store.Dead {
		args = append(args, "run", c.runID(t))
		if slices.ContainsFunc(out.Emit, func(e *events.Event) bool { return e.Type == events.TypeRunDead }) {
			c.r.o.Log.Error("run is dead", args...)
			return
		}
		c.r.o.Log.Error("run is dead, and nothing but this line reports it", args...)
		if c.r.o.Unannounced != nil {
			c.r.o.Unannounced()
		}
		return
	}
	c.r.o.Log.Warn("attempt failed", append(args, "next", out.NextAttemptAt.UTC().Format(time.RFC3339))...)
}

// over lets go of a task whose attempt has ended. Its run may go on, and then keeps its place in the order of its key.
func (c *consumer) over(t *task) {
	delete(c.active, t.seq)
	next := t.next
	if t.key == "" {
		if next != nil {
			c.clock.add(next)
		}
		return
	}
	if next == nil || t.seq > c.order.upTo { // the store has the others
		c.order.release(t)
		return
	}
	next.key = t.key
	c.clock.add(next)
	c.order.again(t)
}

// lowWater is the sequence up to which every event has been dealt with.
func (c *consumer) lowWater() int64 {
	mark := c.follower.After()
	if upTo, ok := c.follower.idle(); ok {
		mark = upTo
	}
	for _, t := range c.active {
		if t.attempt == 1 { // later attempts have their row
			mark = min(mark, t.lowest()-1)
		}
	}
	if c.bursts != nil {
		mark = min(mark, c.bursts.lowest()-1)
	}
	return max(c.moved, min(mark, c.order.lowest()-1))
}

// moveMark writes the mark of a handler that has nothing to settle.
func (c *consumer) moveMark(work context.Context) {
	mark := c.lowWater()
	if mark <= c.moved || c.writing {
		return
	}
	_, err := c.r.o.Store.Settle(context.WithoutCancel(work), store.SettleBatch{Marks: []store.Mark{{Handler: c.id, LowWater: mark}}})
	if err == nil {
		c.moved = mark
	}
}
