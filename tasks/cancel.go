package tasks

import (
	"context"
	"errors"
	"slices"
	"strings"

	"evrun/store"
	"evrun/tasks/queue"
)

// A run is cancelled in three steps. Runner.Cancel has the store end the run, or mark it if its attempt may be under way, and tells the worker over its
// HandOver. The queue forgets what it has not given to the worker yet, and names the rest (cancelling). Of these, the worker ends the context of an
// attempt that runs, and takes back one that has not begun. Then it settles the run, which the store's mark turns into a cancelled one, unless the
// attempt has succeeded. What is already on its way to the store is refused there, or was faster.

// cancelling is a task whose run is to be cancelled.
type cancelling struct {
	t   *queue.Task
	why error
}

// cancel is [queue.Options.Cancelled].
func (w *worker) cancel(t *queue.Task, reason string) {
	w.cancels = append(w.cancels, cancelling{t, errors.New(strings.TrimPrefix(reason, store.Being))})
}

// endCancelled ends the attempts of the runs that are to be cancelled.
func (w *worker) endCancelled() {
	for i, c := range w.cancels {
		w.cancels[i] = cancelling{}
		a, ok := c.t.Scratch.(*attempt)
		if !ok {
			continue // it has ended, or is the store's to decide on
		}
		if i := slices.Index(w.retries, a); i >= 0 { // not claimed yet
			w.retries = slices.Delete(w.retries, i, i+1)
			w.bytes -= len(a.t.Event.Data)
			w.pool.setRetries(len(w.retries))
			w.finish(a)
			w.queue.Done(a.t, store.Settled{Fenced: true})
			continue
		}
		w.pool.stop(a, c.why)
	}
	w.cancels = w.cancels[:0]
}

// stop ends an attempt that was given to the pool, or is being claimed: the context of one that runs, with the cause why. One that has not begun never
// does, and is among the results.
func (p *pool) stop(a *attempt, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.stopped != nil {
		return
	}
	a.stopped = why
	if a.end != nil {
		a.end(why)
		return
	}
	if i := slices.Index(p.next, a); i >= 0 {
		p.next = slices.Delete(p.next, i, i+1)
		p.reserved--
		p.unbegun(a)
	} else if i := slices.Index(p.queue, a); i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
		p.bytes -= a.bytes
		p.unbegun(a)
	}
	p.wake()
}

// unbegun makes an attempt that was stopped before it had begun one of the results.
func (p *pool) unbegun(a *attempt) {
	a.unbegun = true
	p.over(a)
}

// begins gives a running attempt the end of its context. It returns false if the attempt was stopped before: then it must not begin.
func (p *pool) begins(a *attempt, end context.CancelCauseFunc) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.end, a.unbegun = end, a.stopped != nil
	return !a.unbegun
}
