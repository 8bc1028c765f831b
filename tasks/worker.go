package tasks

import (
	"context"
	"fmt"
	"sync"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/emission"
	"evrun/tasks/measure"
	"evrun/tasks/queue"
	"evrun/tasks/recent"
)

// defaultConcurrency is the default number of concurrent attempts of one handler.
const defaultConcurrency = 4

// worker runs the tasks of one handler: its queue decides which is next, the worker makes the attempt and settles it.
//
// Its goroutine, in run, owns every field and calls the queue. The attempts of an outside handler run in the goroutines of its pool (pool.go), and are
// claimed ahead (ahead.go); the one batch of claims that the store is recording has a goroutine, as has the one that it is settling (helper.go). They
// report back over channels, and run waits for them. Events that the condition skips, and inside and computed handlers, need no goroutine: they go
// straight into the next batch, which is prepared while the store settles the one before.
type worker struct {
	r      *Runner
	h      *Handler
	id     store.HandlerID
	events emission.Maker // of the events that it emits
	when   string         // the text of its condition; empty: none

	queue   queue.Source
	trouble trouble
	leased
	batch   batch // to be settled next
	spare   batch // empty, keeps its memory for reuse
	writing bool  // a batch is being settled
	singly  int   // so many of batch are settled one by one, because one of them can't be stored
	moved   int64 // the low-water mark in the store
	moving  int64 // the low-water mark after the batch that is being settled

	pool      *pool
	records   bool       // attempts are claimed
	claims    []*attempt // to be claimed next
	claiming  bool       // claims are on their way to the store
	retries   []*attempt // are claimed when they get a slot of the pool
	bytes     int        // of data in retries
	ahead     int        // how many attempts may be claimed ahead
	late      bool       // the last claims were: see claimed.late
	taken     int        // attempts that have not ended
	unbegun   []*attempt // to be withdrawn
	cancels   []cancelling
	abandoned bool       // run waits for attempts no longer
	results   []*attempt // the last results, whose memory is reused

	settler helper // settles batch after batch
	claimer helper // records claims
	claimed chan claimed
	answers chan answer
	changed *queue.HandOver // from Runner.Retry and Cancel
	mark    chan struct{}   // from Runner.sweep
	recent  recent.Runs
	measure.Worker
	inspect chan func()   // its goroutine calls it: see member.look
	quiet   chan struct{} // closed when run stops, and no attempt begins any more
	ended   chan struct{} // closed when run returns
	failure error
}

func newWorker(r *Runner, h *Handler) *worker {
	h = h.WithDefaults()
	w := &worker{
		r: r, h: h,
		events: emission.Maker{Emitter: r.o.Emitter, Source: r.o.Emitter.Source("/handlers/" + h.Name), Emit: h.Emit, OnDead: h.OnDead},
		pool:   newPool(h.Concurrency), ahead: h.Concurrency,
		claimed: make(chan claimed), answers: make(chan answer), changed: queue.NewHandOver(),
		mark: make(chan struct{}), inspect: make(chan func()), quiet: make(chan struct{}), ended: make(chan struct{}),
	}
	if h.When != nil {
		w.when = h.When.String()
	}
	w.Worker = measure.NewWorker(r.measures.Of(h.Name), r.o.Accepted, r.o.Bus.Count(h.On...), r.head)
	return w
}

// heldKeys is the MaxKeys of ordered handlers' queues; 0: the default. Only tests change it.
var heldKeys = 0

// open prepares the worker to continue at the handler's position in the store.
func (w *worker) open(ctx context.Context, known store.Consumer) (err error) {
	w.id, w.moved = known.ID, known.LowWater
	o := queue.Options{
		Journal: w.r.o.Store, Bus: w.r.o.Bus, Patterns: w.h.On, Interval: w.h.Rate.Interval(), Changed: w.changed, Cancelled: w.cancel, MaxKeys: heldKeys,
	}
	d := w.h.division()
	o.Single, o.Shared = d.Single, w.r.shared
	_, reads := w.h.Action.(Reading)
	if _, w.records = w.h.Action.(Outside); w.records || reads {
		o.Concurrency = w.h.Concurrency
		if w.h.OrderBy == nil && w.h.Debounce == nil && o.Interval == 0 {
			o.Ahead = w.mayTake
		}
	}
	if w.h.OrderBy != nil {
		o.OrderBy = func(t *queue.Task) (string, error) { return keyOf(w.h.OrderBy, "order_by", w.delivery(t)) }
	}
	if b := w.h.Debounce; b != nil {
		o.Bursts = &queue.Bursts{
			Wait: b.Wait, MaxWait: b.MaxWait, All: b.All,
			Wanted: func(t *queue.Task) (bool, error) { return w.wanted(w.delivery(t)) },
		}
		if b.By != nil {
			o.Bursts.Key = func(t *queue.Task) (string, error) { return keyOf(b.By, "debounce: by", w.delivery(t)) }
		}
	}
	if w.lease, err = w.r.hold(ctx, w.h, known, d); err != nil {
		return err
	}
	first := w.lease.Take()
	if w.queue, err = queue.Open(ctx, o, known, first.Gained...); err != nil {
		w.lease.Close()
		return err
	}
	for _, g := range first.Gained {
		w.gained(g)
	}
	return nil
}

// run works until ctx ends and all begun tasks are settled. work is the context of attempts: it outlives ctx.
func (w *worker) run(ctx, work context.Context) error {
	w.pool.make = func(a *attempt) { w.make(work, a) }
	defer w.pool.close()
	defer func() {
		w.settler.close(false)
		w.claimer.close(w.abandoned)
	}()
	defer close(w.ended)
	defer w.queue.Close()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	quiet := sync.OnceFunc(func() { close(w.quiet) })
	for {
		if ctx.Err() != nil || w.failure != nil {
			if err := w.queue.TakeChanged(work); err != nil {
				w.stuck(err)
			}
			w.endCancelled()
			if w.ending = true; w.r.shared && w.queue.Held() != 0 {
				w.leave(w.queue.Held())
			}
			w.withdraw(work)
			w.give(work)
			next := time.Hour
			switch {
			case w.claiming:
			case w.pool.beginning():
				next = time.Millisecond // nobody reports a beginning
			default:
				quiet()
			}
			if w.flush(work); w.idle() {
				break
			}
			timer.Reset(next)
			w.wait(work, nil, nil, timer.C)
			continue
		}
		full := w.fill(ctx, work)
		w.endCancelled()
		w.claim(work)
		w.flush(work)
		w.withdrawAsked(work)
		w.give(work)
		live, d := w.queue.Wait()
		if full { // the store must settle the batch first
			live, d = nil, time.Hour
		}
		timer.Reset(w.patience(d))
		w.wait(work, ctx.Done(), live, timer.C)
	}
	if w.failure == nil {
		w.moveMark(work)
	}
	if !w.abandoned { // else another daemon would begin attempts that still run here
		w.lease.Close()
	}
	return w.failure
}

// idle reports whether all begun tasks are settled.
func (w *worker) idle() bool {
	return !w.writing && w.batch.len() == 0 && (w.abandoned || !w.claiming && w.pool.unfinished() == 0)
}

// wait waits for the next thing to happen and handles it. While the worker takes tasks, done ends the wait. When done is nil, the worker is stopping,
// and the last call for its attempts ends the wait.
func (w *worker) wait(work context.Context, done <-chan struct{}, live <-chan []*events.Event, timer <-chan time.Time) {
	var lastCall chan struct{}
	if done == nil && w.pool.unfinished() > 0 {
		lastCall = w.r.lastCall
	}
	select {
	case batch, ok := <-live:
		if err := w.queue.Received(batch, ok); err != nil {
			w.fail(err)
		}
	case <-w.pool.anyEnded:
		w.takeResults()
	case c := <-w.claimed:
		w.recorded(c)
	case a := <-w.answers:
		w.answered(a)
	case <-w.changed.C():
	case <-w.lease.C():
		w.share(work)
	case <-w.mark:
		w.moveMark(work)
	case look := <-w.inspect:
		look()
	case <-timer:
	case <-lastCall:
		w.abandon()
	case <-done:
	}
}

// takeResults handles the attempts that have ended in the pool.
func (w *worker) takeResults() {
	w.results = w.pool.results(w.results)
	for i, a := range w.results {
		w.attempted(a)
		w.results[i] = nil
	}
}

// abandon stops waiting for the attempts that have not ended. Their runs stay in state running in the store.
func (w *worker) abandon() {
	w.takeResults()
	if n := w.pool.unfinished(); n > 0 {
		w.fail(fmt.Errorf("%d of its attempts were still running after the grace period; the next start counts them as failed", n))
		w.abandoned = true
	}
}

// fail ends the worker: its queue can't read the store.
func (w *worker) fail(err error) {
	if w.failure == nil {
		w.failure = err
	}
}

// fill takes tasks as long as there are any, and reports whether it stopped because the batch is full.
func (w *worker) fill(ctx, work context.Context) (full bool) {
	for w.failure == nil && !w.waits() {
		if w.batch.full() {
			return true
		}
		t, err := w.queue.Next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.troubled(err)
			}
			return false
		}
		if !w.trouble.since.IsZero() {
			w.troubled(nil)
		}
		if t == nil {
			return false
		}
		w.take(work, t)
	}
	return false
}

// take makes or begins an attempt of a task, unless its result is already known.
func (w *worker) take(work context.Context, t *queue.Task) {
	d := w.delivery(t)
	t.Scratch = nil // the decoded event is not kept until the task is settled
	if t.Err != nil {
		if w.giveEvents(work, t, d) { // on_dead may use them
			w.end(t, w.lost(t, d))
		}
		return
	}
	wanted, err := !t.Skip, error(nil)
	if wanted {
		wanted, err = w.wanted(d)
	}
	switch {
	case err != nil:
		w.end(t, w.failed(t, d, err))
	case !wanted:
		w.end(t, store.Outcome{State: store.Skipped})
	default:
		w.attempt(work, t, d)
	}
}

// lost returns the outcome of an attempt that has failed before the worker got its task. One that was claimed ahead, when evrun was killed, doesn't
// count.
func (w *worker) lost(t *queue.Task, d *Delivery) store.Outcome {
	if t.Ahead {
		return w.cutShort(t.Err)
	}
	return w.failed(t, d, t.Err)
}

// attempt makes or begins an attempt.
func (w *worker) attempt(work context.Context, t *queue.Task, d *Delivery) {
	w.queue.Begin(t)
	switch action := w.h.Action.(type) {
	case Reading, Outside:
		w.begin(&attempt{t: t, d: d})
	case Inside:
		if w.giveEvents(work, t, d) {
			w.settle(t, w.inside(t, d, action))
			w.batch.expect(d.foreseen, w.h.Action)
		}
		w.queue.End(t)
	case Computed:
		if w.giveEvents(work, t, d) {
			w.end(t, w.computed(t, d, action))
		}
		w.queue.End(t)
	default:
		w.end(t, w.failed(t, d, Permanent(fmt.Errorf("kind %q can't be run", w.h.Kind))))
		w.queue.End(t)
	}
}

// attempted handles the result of an attempt that ran in the pool.
func (w *worker) attempted(a *attempt) {
	w.finish(a)
	if a.t.Ahead || !w.records {
		a.t.Started = a.began
	}
	a.t.Took = a.took
	if a.t.Lost {
		w.queue.Done(a.t, store.Settled{Fenced: true})
		return
	}
	end := func(out store.Outcome) {
		s := w.settlement(a.t, out)
		s.Output = a.output
		w.settle(a.t, s)
	}
	switch {
	case a.storeErr != nil:
		w.stuck(a.storeErr)
		if a.t.Claimed {
			end(w.cutShort(a.storeErr))
		} // else the task is never done, so the mark doesn't pass it
	case a.unbegun:
		w.end(a.t, store.Outcome{State: store.Cancelled, Uncounted: true})
	case a.stopped != nil && a.err != nil:
		end(store.Outcome{State: store.Cancelled, Error: w.words(a.err)})
	case a.cutShort:
		end(w.cutShort(a.err))
	case a.err != nil:
		end(w.failed(a.t, a.d, a.err))
	default:
		end(w.succeeded(a.t, a.d, a.result))
	}
}

// workerStatus is the worker's part of a HandlerStatus.
type workerStatus struct {
	lowWater int64
	running  []InFlight
	// unfinished is the number of attempts that run, that begin as soon as they are recorded, or whose result was not taken yet.
	unfinished int
	ahead      int // attempts that are claimed and have not begun: the store counts their runs as running
	rate       int // runs that ended in the last minute
	recent     control.Recent
	pending    measure.Pending
	silent     bool // an older answer: the worker doesn't answer now
}

func (w *worker) status() workerStatus {
	s := workerStatus{pending: w.Pending(w.queue, w.pool.runningFirst(), func() int64 { return w.lowWater(nil) })}
	if s.lowWater = s.pending.Mark; w.queue.Held() != store.AllSlots {
		s.lowWater = 0 // of all slots: the store knows
	}
	s.running, s.ahead = w.pool.running()
	s.unfinished = w.pool.unfinished()
	s.rate, s.recent = w.recent.Rate(time.Now()), w.recent.Recent
	return s
}
