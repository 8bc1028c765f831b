package tasks

import (
	"context"
	"slices"
	"sync"
	"time"

	"evrun/store"
	"evrun/tasks/queue"
)

// attempt is one attempt of an outside or reading handler, from the worker's decision to make it until its result is back. It belongs to the worker,
// to its claim in flight, or to the pool.
type attempt struct {
	t        *queue.Task
	d        *Delivery
	reserved bool // a slot of the pool is reserved for it: it begins as soon as it is claimed
	bytes    int  // of the event's data, counted while it waits
	began    time.Time

	took time.Duration

	result   any
	output   *store.Output
	err      error // the handler's
	cutShort bool  // the daemon's stop ended it
	storeErr error // the store could not be read, so the action was not called

	// The pool's mutex guards these.
	end     context.CancelCauseFunc // of its context; nil: it has not begun
	stopped error                   // why it was to end: its run is cancelled
	unbegun bool                    // it was stopped before it had begun
}

// pool makes the attempts of a handler in goroutines of its own, at most size. It starts them when they are needed, and keeps them until close.
//
// A slot is the right to run one attempt; there are size. An attempt that is added begins when a slot is free, in the order of add: first those with a
// reserved slot, then those in queue. A goroutine takes the next attempt itself when one ends, and waits for nobody: the worker gets a value from
// anyEnded, and takes the results when it can.
//
// All methods may be called by any goroutine.
type pool struct {
	size int
	make func(a *attempt)
	// anyEnded has room for one value; it has one if ended isn't empty.
	anyEnded chan struct{}

	mu       sync.Mutex
	parked   sync.Cond
	exited   sync.Cond
	slots    []*attempt // the running attempt of each goroutine, or nil
	started  int        // goroutines
	idle     int        // of them, parked
	waking   bool       // one of them, or a new one, is about to look for work; it wakes the next
	busy     int        // running attempts
	reserved int        // slots reserved for attempts that are being claimed, or are in next
	retries  int        // retries that are not claimed yet, because each needs a slot first
	next     []*attempt // claimed, each with a reserved slot: they begin before those in queue
	queue    []*attempt // claimed without a slot
	expected int        // attempts without a slot that are being claimed: they come into queue
	bytes    int        // of data of the attempts that are expected or in queue
	draining bool       // no attempt in queue begins any more
	closed   bool
	ended    []*attempt
}

func newPool(size int) *pool {
	p := &pool{size: size, anyEnded: make(chan struct{}, 1)}
	p.parked.L, p.exited.L = &p.mu, &p.mu
	return p
}

// reserve reserves a slot for an attempt that will be claimed next. It returns false if none is free, or if others come before it: only retries
// overtake those in queue.
func (p *pool) reserve(a *attempt) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.busy + p.reserved
	if a.t.First() {
		before += p.retries + p.expected + len(p.queue)
	}
	if a.reserved = before < p.size; a.reserved {
		p.reserved++
	}
	return a.reserved
}

// setRetries sets how many retries wait until they can reserve a slot. As many free slots are not given to attempts in queue.
func (p *pool) setRetries(n int) {
	p.mu.Lock()
	p.retries = n
	p.wake()
	p.mu.Unlock()
}

// expect announces an attempt without a slot: add or giveUp follows.
func (p *pool) expect(a *attempt) {
	p.mu.Lock()
	p.expected++
	a.bytes = len(a.t.Event.Data)
	p.bytes += a.bytes
	p.mu.Unlock()
}

// queuedBytes returns how much data the attempts have that are expected or in queue.
func (p *pool) queuedBytes() (bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

// add gives attempts to the pool. It reports whether the pool had nothing to do, and how many were in queue.
func (p *pool) add(list ...*attempt) (idle bool, before int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle, before = p.busy == 0 && len(p.next) == 0, len(p.queue)
	for _, a := range list {
		switch {
		case a.stopped != nil:
			p.release(a)
			p.unbegun(a)
		case a.reserved:
			p.next = append(p.next, a)
		default:
			p.expected--
			p.queue = append(p.queue, a)
		}
	}
	p.wake()
	return idle && before == 0, before
}

// giveUp forgets an attempt that has a reserved slot or is expected, and will not be made.
func (p *pool) giveUp(a *attempt) {
	p.mu.Lock()
	p.release(a)
	p.wake()
	p.mu.Unlock()
}

// release gives back what reserve or expect has kept for an attempt.
func (p *pool) release(a *attempt) {
	if a.reserved {
		p.reserved--
	} else {
		p.expected--
		p.bytes -= a.bytes
	}
}

// drain empties queue and returns its attempts. Those that come into it later don't begin either; another drain returns them.
func (p *pool) drain() (queued []*attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	queued, p.queue = p.queue, nil
	for _, a := range queued {
		p.bytes -= a.bytes
	}
	p.draining, p.retries = true, 0
	return queued
}

// takeBack removes an attempt from queue: it never begins. It returns false if the attempt isn't there.
func (p *pool) takeBack(a *attempt) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.queue, a)
	if i < 0 {
		return false
	}
	p.queue = slices.Delete(p.queue, i, i+1)
	p.bytes -= a.bytes
	p.wake()
	return true
}

// results returns the attempts that have ended since the last call, in memory that may be reused after the next call but one.
func (p *pool) results(reuse []*attempt) []*attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.ended
	p.ended = reuse[:0]
	return list
}

// unfinished is the number of attempts that run or have a reserved slot, and of results that were not taken.
func (p *pool) unfinished() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy + p.reserved + len(p.ended)
}

// beginning reports whether attempts with a reserved slot have yet to begin.
func (p *pool) beginning() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reserved > 0
}

// running returns the running attempts, and the number of those in queue.
func (p *pool) running() (list []InFlight, queued int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.slots {
		if a != nil {
			list = append(list, InFlight{RunID: a.d.RunID, Attempt: a.t.Attempt, Since: a.began})
		}
	}
	return list, len(p.queue)
}

// runningFirst returns the sequences of the running attempts that are the first of their runs.
func (p *pool) runningFirst() map[int64]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first map[int64]bool
	for _, a := range p.slots {
		if a == nil || !a.t.First() {
			continue
		}
		if first == nil {
			first = make(map[int64]bool, len(p.slots))
		}
		first[a.t.Seq] = true
	}
	return first
}

// close ends the goroutines, and waits for those that don't run an attempt. The others end with it; its result is dropped.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.parked.Broadcast()
	for p.started > p.busy {
		p.exited.Wait()
	}
}

// ready reports whether an attempt can begin.
func (p *pool) ready() bool {
	return len(p.next) > 0 || len(p.queue) > 0 && !p.draining && p.busy+p.reserved+p.retries < p.size
}

// wake wakes or starts a goroutine if an attempt can begin, unless one is on its way. That one wakes the next: short attempts don't wake all.
func (p *pool) wake() {
	switch {
	case p.waking || p.closed || !p.ready():
	case p.idle > 0:
		p.waking = true
		p.parked.Signal()
	case p.started < p.size:
		p.waking = true
		p.started++
		p.slots = append(p.slots, nil)
		go p.run(len(p.slots) - 1)
	}
}

// run is a goroutine of the pool.
func (p *pool) run(slot int) {
	p.mu.Lock()
	p.waking = false
	for !p.closed {
		a := p.take()
		if a == nil {
			p.idle++
			p.parked.Wait()
			p.idle--
			p.waking = false
			continue
		}
		p.busy++
		p.slots[slot] = a
		p.wake()
		a.began = time.Now()
		p.mu.Unlock()
		p.make(a)
		a.took = time.Since(a.began)
		p.mu.Lock()
		p.slots[slot] = nil
		p.busy--
		p.over(a)
	}
	p.started--
	p.exited.Broadcast()
	p.mu.Unlock()
}

// over makes an attempt one of the results.
func (p *pool) over(a *attempt) {
	if p.ended = append(p.ended, a); len(p.ended) == 1 && !p.closed {
		select {
		case p.anyEnded <- struct{}{}:
		default:
		}
	}
}

// take returns the next attempt that can begin, or nil.
func (p *pool) take() (a *attempt) {
	switch {
	case !p.ready():
	case len(p.next) > 0:
		a, p.next = shift(p.next)
		p.reserved--
	default:
		a, p.queue = shift(p.queue)
		p.bytes -= a.bytes
	}
	return a
}

func shift(list []*attempt) (first *attempt, rest []*attempt) {
	first = list[0]
	list[0] = nil
	return first, list[1:]
}
