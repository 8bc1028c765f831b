package tasks

import (
	"context"
	"time"

	"evrun/store"
)

// Claims are made ahead: while attempts run, the worker has the store record the next ones, in one write, so that an attempt that can begin finds its
// claim made. One such write is on its way at a time.
//
//	fill → begin → claims ──→ claim: Store.Start ──→ pool: attempt ──→ attempted → settlement
//	           └─→ retries: wait for a slot ↑
//
// Only first attempts are claimed without a slot of the pool, because the store then can't know whether the attempt has begun (store.Claim.Ahead): a
// kill does not count it. A retry is claimed when it can begin. So an action that kills the daemon is counted, its first attempt perhaps not.
//
// A handler with order_by has no claims ahead, because a run that is retried by hand comes before all events of its key that have not begun; one with
// a debounce has none, because a burst goes on while it waits for a slot; and one with a rate has none.
//
// At a stop, the claims whose attempts have not begun are withdrawn: the events are as if the worker had never taken them, and the mark has not passed
// them. If that fails, the next start finds their runs, and does not count the attempts.

// The bounds of the attempts that are claimed ahead. Their number begins at the handler's concurrency. It doubles when the attempts take less time
// than the claims, and halves when they don't.
const (
	maxAhead      = 512
	maxAheadBytes = 4 << 20 // of data: no more are taken while so much waits
)

// claimed is the store's answer to a batch of claims.
type claimed struct {
	fenced []*attempt // were refused
	failed []*attempt // could not be recorded, because of err
	err    error
	late   bool // the pool had nothing to do when they came, though no more attempts could be taken meanwhile
	before int  // how many were in the pool's queue
	// withdrawn are attempts whose claims were taken back, because another daemon is to have their slots.
	withdrawn []*attempt
}

// mayTake is how many tasks the queue may give beyond the handler's concurrency.
func (w *worker) mayTake() int {
	if w.pool.queuedBytes()+w.bytes > maxAheadBytes {
		return 0
	}
	return w.ahead
}

// begin makes an attempt as soon as it is recorded, if it must be, and a slot is free.
func (w *worker) begin(a *attempt) {
	w.taken++
	a.t.Scratch = a
	switch {
	case !w.records:
		w.pool.expect(a)
		w.pool.add(a)
	case (a.t.First() || len(w.retries) == 0) && w.pool.reserve(a):
		w.claims = append(w.claims, a)
	case a.t.First():
		w.pool.expect(a)
		a.t.Ahead = true
		w.claims = append(w.claims, a)
	default:
		w.retries = append(w.retries, a)
		w.bytes += len(a.t.Event.Data)
		w.pool.setRetries(len(w.retries))
	}
}

// claim hands the claims to the store, unless some are on their way.
func (w *worker) claim(work context.Context) {
	for len(w.retries) > 0 && w.pool.reserve(w.retries[0]) {
		var a *attempt
		a, w.retries = shift(w.retries)
		w.bytes -= len(a.t.Event.Data)
		a.t.Started = time.Now() // it has waited
		w.claims = append(w.claims, a)
		w.pool.setRetries(len(w.retries))
	}
	if w.claiming || len(w.claims) == 0 {
		return
	}
	w.claiming = true
	full := w.taken >= w.h.Concurrency+w.ahead
	list, node := w.claims, w.node
	w.claims = make([]*attempt, 0, len(list))
	w.claimer.do(func() {
		c := w.record(work, list, node)
		c.late = c.late && full
		select {
		case w.claimed <- c:
		case <-w.ended: // its attempts were abandoned
		}
	})
}

// record records attempts and gives them to the pool. While the store has no space, it tries again.
func (w *worker) record(work context.Context, list []*attempt, node int64) (c claimed) {
	for {
		started, err := w.r.o.Store.Start(work, w.claimsOf(list, node))
		if err == nil {
			begin := list[:0]
			for i, a := range list {
				if a.t.Claimed = started[i]; started[i] {
					begin = append(begin, a)
				} else {
					c.fenced = append(c.fenced, a)
				}
			}
			c.late, c.before = w.pool.add(begin...)
			return c
		}
		if !temporary(err) || !pause(work, storeRetryEvery) {
			return claimed{failed: list, err: err}
		}
	}
}

func (w *worker) claimsOf(list []*attempt, node int64) []store.Claim {
	claims := make([]store.Claim, len(list))
	for i, a := range list {
		claims[i] = store.Claim{Handler: w.id, Sequence: a.t.Seq, Attempt: a.t.Attempt, At: a.t.Started, Ahead: a.t.Ahead, Joins: a.t.Joins, Node: node}
	}
	return claims
}

// recorded handles the store's answer to claims.
func (w *worker) recorded(c claimed) {
	w.claiming = false
	for _, a := range c.fenced {
		w.pool.giveUp(a)
		w.finish(a)
		w.queue.Done(a.t, store.Settled{Fenced: true})
	}
	for _, a := range c.failed {
		w.pool.giveUp(a)
		w.finish(a) // the task is never done, so the mark doesn't pass it
	}
	for _, a := range c.withdrawn {
		w.finish(a)
		w.queue.Done(a.t, store.Settled{Fenced: true})
	}
	if w.asked != 0 {
		w.recall(w.asked)
	}
	if c.err != nil {
		w.stuck(c.err)
	}
	switch {
	case c.late && w.late: // the attempts are faster than the claims
		w.ahead = min(2*w.ahead, maxAhead)
	case c.before > w.ahead/2:
		w.ahead = max(w.ahead/2, w.h.Concurrency)
	}
	w.late = c.late
}

// finish lets the queue give another task for an attempt that is over.
func (w *worker) finish(a *attempt) {
	w.taken--
	a.t.Scratch = nil
	w.queue.End(a.t)
}

// withdraw gives back the tasks whose attempts have not begun, at a stop.
func (w *worker) withdraw(work context.Context) {
	for _, a := range w.claims {
		w.pool.giveUp(a)
	}
	w.claims, w.retries, w.bytes = nil, nil, 0
	for _, a := range w.pool.drain() {
		if a.t.Claimed {
			w.unbegun = append(w.unbegun, a)
		}
	}
	if w.withdrawAsked(work); len(w.unbegun) > 0 && !w.claiming {
		list := w.unbegun
		w.unbegun = nil
		w.takeBack(work, list, claimed{})
	}
}

// withdrawAsked gives back the tasks of asked slots whose attempts have not begun.
func (w *worker) withdrawAsked(work context.Context) {
	if len(w.back) > 0 && !w.claiming {
		list := w.back
		w.back = nil
		w.takeBack(work, list, claimed{withdrawn: list})
	}
}

// takeBack has the store withdraw claims, and then reports done.
func (w *worker) takeBack(work context.Context, list []*attempt, done claimed) {
	w.claiming = true
	claims := w.claimsOf(list, w.node)
	w.claimer.do(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(work), time.Minute)
		defer cancel()
		if err := w.r.o.Store.Withdraw(ctx, claims); err != nil {
			w.r.o.Log.Debug("claims can't be withdrawn; the next start doesn't count them", "handler", w.h.Name, "runs", len(list), "error", err)
		}
		select {
		case w.claimed <- done:
		case <-w.ended:
		}
	})
}
