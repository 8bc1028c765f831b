package tasks

import (
	"context"
	"time"

	"evrun/store"
)

// trouble is what keeps a worker from reading the store for a while.
type trouble struct {
	since time.Time // zero: none
	until time.Time
}

// troubled handles an error of the queue, and reports whether there is one. One that may pass makes the worker wait; any other ends it.
func (w *worker) troubled(err error) bool {
	switch {
	case err == nil:
		w.trouble = trouble{}
		return false
	case !temporary(err):
		w.fail(err)
		return true
	}
	now := time.Now()
	if w.trouble.since.IsZero() {
		w.trouble.since = now
		w.r.o.Log.Warn("the store can't be read now; trying again", "handler", w.h.Name, "error", err)
	}
	w.trouble.until = now.Add(storeRetryEvery)
	return true
}

// waits reports whether the worker waits because of a trouble.
func (w *worker) waits() bool { return !w.trouble.until.IsZero() && time.Now().Before(w.trouble.until) }

// patience is how long the worker may wait, if it has nothing to do for d.
func (w *worker) patience(d time.Duration) time.Duration {
	if w.waits() || w.later {
		return min(d, storeRetryEvery)
	}
	return d
}

// paced makes the attempts of slots that come from another daemon keep the handler's rate: the last attempt may have begun there.
func (w *worker) paced(ctx context.Context) error {
	interval := w.h.Rate.Interval()
	if interval == 0 || !w.r.shared {
		return nil
	}
	runs, err := w.r.o.Store.Runs(ctx, store.RunQuery{Handler: w.h.Name, Limit: 20})
	if w.troubled(err) {
		return err
	}
	var last time.Time
	for i := range runs {
		if runs[i].StartedAt.After(last) {
			last = runs[i].StartedAt
		}
	}
	w.queue.Rest(last.Add(interval))
	return nil
}
