package tasks

import (
	"sync"
	"time"

	"evrun/tasks/queue"
)

// attempt is one attempt of an outside or reading handler, from the worker's decision to make it until its result is back. It belongs to the worker,
// to its claim in flight, or to the pool.
type attempt struct {
	t     *queue.Task
	d     *Delivery
	held  bool // a slot of the pool is kept for it: it begins as soon as it is claimed
	bytes int  // of the event's data, counted while it waits
	began time.Time

	result   any
	err      error // the handler's
	cutShort bool  // the daemon's stop ended it
	storeErr error // the store could not be read, so the action was not called
}

// pool makes the attempts of a handler in goroutines of its own, at most size. It starts them when they are needed, and keeps them until close.
//
// An attempt that comes to the pool begins when a slot is free, in the order of add: first those that hold a slot, then the others. A goroutine takes
// the next attempt itself when one ends, and waits for nobody: the worker is told that attempts have ended, and takes the results when it can.
//
// All methods may be called by any goroutine.
type pool struct {
	size int
	make func(a *attempt)
	// tell has room for one value; it has one if ended isn't empty.
	tell chan struct{}

	mu       sync.Mutex
	parked   sync.Cond
	exited   sync.Cond
	slots    []*attempt // the running attempt of each goroutine, or nil
	started  int        // goroutines
	idle     int        // of them, parked
	waking   bool       // one of them, or a new one, is about to look for work; it wakes the next
	busy     int        // running attempts
	held     int        // slots kept for attempts that are being claimed, or are in next
	wanted   int        // retries that wait for a slot to hold
	next     []*attempt // with a slot
	line     []*attempt // without
	coming   int        // attempts without a slot that are being claimed
	bytes    int        // of data in line and coming
	draining bool       // line begins no more
	closed   bool
	ended    []*attempt
}

func newPool(size int) *pool {
	p := &pool{size: size, tell: make(chan struct{}, 1)}
	p.parked.L, p.exited.L = &p.mu, &p.mu
	return p
}

// hold keeps a slot for an attempt that is to be claimed. It returns false if none is free, or if others come before it: only retries pass those
// that wait in line.
func (p *pool) hold(a *attempt) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.busy + p.held
	if a.t.Attempt == 1 {
		before += p.wanted + p.coming + len(p.line)
	}
	if a.held = before < p.size; a.held {
		p.held++
	}
	return a.held
}

// want sets how many retries wait for a slot. While there are any, the line begins no attempts in it.
func (p *pool) want(n int) {
	p.mu.Lock()
	p.wanted = n
	p.rouse()
	p.mu.Unlock()
}

// expect announces an attempt without a slot: add or giveUp follows.
func (p *pool) expect(a *attempt) {
	p.mu.Lock()
	p.coming++
	a.bytes = len(a.t.Event.Data)
	p.bytes += a.bytes
	p.mu.Unlock()
}

// waiting returns how much data waits in line.
func (p *pool) waiting() (bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

// add gives attempts to the pool. It reports whether the pool had nothing to do, and how many were in line.
func (p *pool) add(list ...*attempt) (dry bool, before int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dry, before = p.busy == 0 && len(p.next) == 0, len(p.line)
	for _, a := range list {
		if a.held {
			p.next = append(p.next, a)
			continue
		}
		p.coming--
		p.line = append(p.line, a)
	}
	p.rouse()
	return dry && before == 0, before
}

// giveUp forgets an attempt that was held or expected, and is not made.
func (p *pool) giveUp(a *attempt) {
	p.mu.Lock()
	if a.held {
		p.held--
	} else {
		p.coming--
		p.bytes -= a.bytes
	}
	p.rouse()
	p.mu.Unlock()
}

// drain lets the line begin no more attempts, and returns it.
func (p *pool) drain() (line []*attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line, p.line = p.line, nil
	for _, a := range line {
		p.bytes -= a.bytes
	}
	p.draining, p.wanted = true, 0
	return line
}

// results returns the attempts that have ended since the last call, in memory that may be reused after the next call but one.
func (p *pool) results(reuse []*attempt) []*attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.ended
	p.ended = reuse[:0]
	return list
}

// unfinished is the number of attempts that run or have a slot, and of results that were not taken.
func (p *pool) unfinished() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy + p.held + len(p.ended)
}

// running returns the running attempts, and the number of those in line.
func (p *pool) running() (list []InFlight, line int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.slots {
		if a != nil {
			list = append(list, InFlight{RunID: a.d.RunID, Attempt: a.t.Attempt, Since: a.began})
		}
	}
	return list, len(p.line)
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
	return len(p.next) > 0 || len(p.line) > 0 && !p.draining && p.busy+p.held+p.wanted < p.size
}

// rouse wakes or starts a goroutine if an attempt can begin, unless one is on its way. That one wakes the next: short attempts don't wake all.
func (p *pool) rouse() {
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
		p.rouse()
		a.began = time.Now()
		p.mu.Unlock()
		p.make(a)
		p.mu.Lock()
		p.slots[slot] = nil
		p.busy--
		if p.ended = append(p.ended, a); len(p.ended) == 1 && !p.closed {
			select {
			case p.tell <- struct{}{}:
			default:
			}
		}
	}
	p.started--
	p.exited.Broadcast()
	p.mu.Unlock()
}

// take returns the next attempt that can begin, or nil.
func (p *pool) take() (a *attempt) {
	switch {
	case !p.ready():
	case len(p.next) > 0:
		a, p.next = shift(p.next)
		p.held--
	default:
		a, p.line = shift(p.line)
		p.bytes -= a.bytes
	}
	return a
}

func shift(list []*attempt) (first *attempt, rest []*attempt) {
	first = list[0]
	list[0] = nil
	return first, list[1:]
}
