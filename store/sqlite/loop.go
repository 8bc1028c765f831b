package sqlite

import (
	"context"
	"fmt"

	"evrun/store"
)

// op is one caller's write.
type op struct {
	weight, bytes int
	do            func(*txn) error // may be called again after a rollback; nil: append
	append        *appends
	done          chan error // has room for one answer
	turn          turn
	declined      bool // do did nothing, because no time was left
}

func newOp(weight, bytes int, do func(*txn) error) *op {
	return &op{weight: weight, bytes: bytes, do: do, done: make(chan error, 1)}
}

// submit passes o to the writer and waits until it is on disk or refused.
func (w *writer) submit(ctx context.Context, o *op) error {
	if w != nil && o.turn == own && w.direct(o) {
		return <-o.done
	}
	if err := w.enqueue(ctx, o); err != nil {
		return err
	}
	select {
	case err := <-o.done:
		return err
	case <-w.stopped:
		select {
		case err := <-o.done:
			return err
		default: // the writer ended before it
			return store.ErrClosed
		}
	}
}

// direct commits o in the caller's goroutine, unless another write goes on or waits. If it returns true, o has its answer.
func (w *writer) direct(o *op) bool {
	if len(w.ops) > 0 || !w.mu.TryLock() {
		return false
	}
	defer w.mu.Unlock()
	if w.ended() != nil {
		return false
	}
	w.failure = store.ErrBroken // if write panics, and a server recovers: the transaction is still open
	defer func() {
		if w.failure != nil {
			w.signal()
		}
	}()
	w.failure = w.write([]*op{o}, false)
	return true
}

// signal wakes run.
func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // run will look at everything when it wakes
	}
}

// ended returns why nothing may be written any more, or nil. It needs mu.
func (w *writer) ended() error {
	select {
	case <-w.lost:
		return w.loss
	default:
		return w.failure
	}
}

// enqueue passes o to the writer.
func (w *writer) enqueue(ctx context.Context, o *op) error {
	if w == nil {
		return fmt.Errorf("%w: it was opened for reading", store.ErrReadOnly)
	}
	select {
	case <-w.stopped: // checked first: the queue may have room even then
		return store.ErrClosed
	default:
	}
	select {
	case w.ops <- o:
		w.signal()
		return nil
	case <-w.stopped:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run writes until ctx ends and nothing is waiting, or until the store is broken or lost.
func (w *writer) run(ctx context.Context) error {
	defer close(w.stopped)
	stopping := false
	for {
		if err := w.ended(); err != nil {
			return err
		}
		batch := w.gather()
		if len(batch) == 0 && !w.turns.ready(w.clock(), stopping) {
			if stopping && len(w.turns.holds) == 0 {
				return nil
			}
			w.rest(ctx, &stopping)
			continue
		}
		if len(batch) > 0 {
			if err := w.write(batch, false); err != nil {
				return err
			}
		}
		if o := w.turns.take(w.clock(), stopping); o != nil {
			begun := w.clock()
			if o.turn == outside {
				o.done <- o.do(nil)
			} else if err := w.write([]*op{o}, true); err != nil {
				return err
			}
			if o.turn >= holding {
				now := w.clock()
				w.turns.yieldUntil = now.Add(now.Sub(begun))
			}
		}
	}
}

// rest unlocks mu until there may be something to do. It sets stopping when ctx has ended.
func (w *writer) rest(ctx context.Context, stopping *bool) {
	yielded, stop := w.turns.wake(w.clock())
	defer stop()
	w.mu.Unlock()
	select {
	case <-w.wake:
	case <-yielded:
	case <-ctx.Done():
		*stopping = true
	case <-w.lost:
	}
	w.mu.Lock()
}

// gather collects the waiting writes in a batch: evrun's own writes, then writes with user statements that may share a transaction. Other user
// statements wait for their turns.
func (w *writer) gather() []*op {
	var batch, users []*op
	weight, bytes := 0, 0
	for {
		var o *op
		select {
		case o = <-w.ops:
		default:
			return append(batch, users...)
		}
		switch o.turn {
		case own:
			batch = append(batch, o)
		case shared:
			users = append(users, o)
		default:
			w.turns.add(o)
			continue
		}
		weight += o.weight
		if bytes += o.bytes; weight >= maxBatchWeight || bytes >= maxBatchBytes {
			return append(batch, users...)
		}
	}
}
