package tasks

import (
	"context"
	"slices"

	"evrun/store"
	"evrun/tasks/queue"
)

// A worker has the slots of its handler that its lease gives it: see package queue. It is told of gained, asked and lost slots between two tasks.
//
//   - Gained slots go to the queue, once no attempt from before is left of them.
//   - Of asked slots nothing begins any more. They are given back, each when its attempts are settled, with the mark of the moment when they were asked.
//   - Attempts of lost slots end at once: their contexts, with [ErrLost]. Nothing of them is written: another daemon may have the slots already.
type leased struct {
	lease  store.Lease
	node   int64 // to which the slots were granted
	grants []store.Grant
	asked  store.Slots  // to be given back
	marks  []store.Mark // theirs, to be stored before
	ending bool         // nothing begins any more
	later  bool         // the last try to gain has failed
	back   []*attempt   // of asked slots, claimed ahead, to be withdrawn
}

// ErrLost is the cause with which the contexts of attempts end whose slots another daemon may have.
var ErrLost error = lostError{}

// lostError is a [evrun/tasks/process.AtOnce].
type lostError struct{}

func (lostError) Error() string {
	return "evrun can't renew its leases in the database: another daemon may repeat this attempt"
}

func (lostError) EndsAtOnce() {}

// division is how the handler's events are divided among slots. One daemon has them all where it must count them, or run them one after the other.
func (h *Handler) division() (d store.Division) {
	d.Single = h.Concurrency == 1 || h.Rate.Interval() > 0 || h.Debounce != nil
	if h.OrderBy != nil {
		d.Key = h.OrderBy.String() // the key of an event is the same at each daemon
	}
	return d
}

// share takes up what has changed of the lease.
func (w *worker) share(work context.Context) {
	c := w.lease.Take()
	if c.Lost != 0 {
		w.lose(c.Lost)
	}
	if w.grants = append(w.grants, c.Gained...); w.ending {
		for _, g := range c.Gained {
			c.Asked |= g.Slots
		}
	} else {
		w.gain(work)
	}
	if c.Asked != 0 {
		w.leave(c.Asked)
	}
}

// gain gives granted slots to the queue, unless the worker still has tasks of them from before.
func (w *worker) gain(ctx context.Context) {
	w.later = false
	for i := range w.grants {
		g := w.grants[i]
		g.Slots &^= w.queue.Busy(g.Slots)
		if g.Slots == 0 || w.later {
			continue
		}
		if w.later = w.paced(ctx) != nil || w.troubled(w.queue.Gain(ctx, g)); w.later || w.failure != nil {
			continue
		}
		w.grants[i].Slots &^= g.Slots
		w.gained(g)
	}
	w.grants = slices.DeleteFunc(w.grants, func(g store.Grant) bool { return g.Slots == 0 })
}

// gained follows the mark back to that of slots which the queue has just got.
func (w *worker) gained(g store.Grant) {
	if w.node = g.Node; w.queue.Held() == g.Slots {
		w.moved = g.LowWater
	}
	w.moved, w.moving = min(w.moved, g.LowWater), min(w.moving, g.LowWater)
}

// leave begins nothing more of slots that another daemon is to have.
func (w *worker) leave(slots store.Slots) {
	granted := w.ungrant(slots)
	if mark := (store.Mark{Handler: w.id, LowWater: w.lowWater(nil), Slots: slots & w.queue.Held()}); mark.Slots != 0 {
		w.marks = append(w.marks, mark)
	}
	w.asked |= slots & (w.queue.Held() | granted)
	w.recall(slots)
}

// recall takes the slots out of the queue, and takes back those of their attempts that have not begun.
func (w *worker) recall(slots store.Slots) {
	for _, t := range w.queue.Leave(slots) {
		if a, ok := t.Scratch.(*attempt); ok && !w.unclaim(a) && w.pool.takeBack(a) {
			w.back = append(w.back, a)
		}
	}
}

// lose ends what the worker has of slots that another daemon may have.
func (w *worker) lose(slots store.Slots) {
	w.Lost(slots)
	w.ungrant(slots)
	w.asked &^= slots
	w.marks = slices.DeleteFunc(w.marks, func(m store.Mark) bool { return m.Slots&slots != 0 })
	for _, t := range w.queue.Leave(slots) {
		t.Lost = true
		if a, ok := t.Scratch.(*attempt); ok && !w.unclaim(a) {
			w.pool.stop(a, ErrLost)
		}
	}
	w.batch = w.kept(w.batch)
}

// ungrant takes slots out of the grants that wait.
func (w *worker) ungrant(slots store.Slots) (granted store.Slots) {
	for i := range w.grants {
		granted |= w.grants[i].Slots & slots
		w.grants[i].Slots &^= slots
	}
	return granted
}

// kept takes the tasks of lost slots out of a batch.
func (w *worker) kept(b batch) batch {
	if !slices.ContainsFunc(b.tasks, func(t *queue.Task) bool { return t.Lost }) {
		return b
	}
	var kept batch
	for i, t := range b.tasks {
		if t.Lost {
			w.queue.Done(t, store.Settled{Fenced: true})
		} else {
			kept.add(t, b.settlements[i])
		}
	}
	return kept
}

// unclaim forgets an attempt that is not claimed yet, and is not being claimed.
func (w *worker) unclaim(a *attempt) bool {
	if i := slices.Index(w.retries, a); i >= 0 {
		w.retries = slices.Delete(w.retries, i, i+1)
		w.bytes -= len(a.t.Event.Data)
		w.pool.setRetries(len(w.retries))
	} else if i := slices.Index(w.claims, a); i >= 0 {
		w.claims = slices.Delete(w.claims, i, i+1)
		w.pool.giveUp(a)
	} else {
		return false
	}
	w.finish(a)
	w.queue.Done(a.t, store.Settled{Fenced: true})
	return true
}

// give gives back the asked slots whose attempts are settled, and takes those that were granted and are free of attempts now.
func (w *worker) give(work context.Context) {
	if len(w.grants) > 0 && !w.waits() {
		w.gain(work)
	}
	if w.asked == 0 {
		return
	}
	free := w.asked &^ w.queue.Busy(w.asked)
	if free == 0 {
		return
	}
	if len(w.marks) > 0 {
		_, _ = w.r.o.Store.Settle(context.WithoutCancel(work), store.SettleBatch{Marks: w.marks, Node: w.node}) // else the next holder looks further back
		w.marks = nil
	}
	w.lease.Give(free)
	w.asked &^= free
}
