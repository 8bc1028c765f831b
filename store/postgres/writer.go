package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/conn"
)

// The limits of a transaction; the write that reaches a limit is still in it.
const (
	maxBatchWeight = 1000    // events and settlements
	maxBatchBytes  = 1 << 20 // of payload
)

// op is one caller's write: an append, claims, or settlements.
type op struct {
	node          int64 // that it was made for; 0: any
	weight, bytes int
	begun         atomic.Bool // nobody gives up waiting for it any more, or somebody has
	done          chan error  // has room for one answer

	evs      []*events.Event
	receipts []store.Receipt

	claims  []store.Claim
	started []bool

	settlements []store.Settlement
	settled     []store.Settled
	marks       []store.Mark
	settling    *settling // of settlements with user statements
}

// writer is a connection and what waits for it. One goroutine at a time uses it: the one of run, which takes all waiting writes into one transaction and
// answers them after its commit, while callers queue up the next ones; or a caller's, while nothing waits.
type writer struct {
	s       *Store
	c       *session
	single  bool       // one write goes into each transaction
	mu      sync.Mutex // held by the goroutine that writes
	ops     chan *op
	wake    chan struct{} // has a token after something was put into ops
	stopped chan struct{} // closed when run has ended

	careful    int // so many transactions look first for events and runs that are known: there was one, and others may follow
	conditions conditions
	names      map[store.HandlerID]string
}

func newWriter(s *Store, number int) *writer {
	return &writer{s: s, c: &session{s: s, number: number, hot: true}, ops: make(chan *op, 256), wake: make(chan struct{}, 1), stopped: make(chan struct{}),
		names: map[store.HandlerID]string{}}
}

// submit passes o to the writer and waits until it is on disk or refused. The context ends the wait for a place in the queue only.
func (w *writer) submit(ctx context.Context, o *op) error {
	o.done = make(chan error, 1)
	o.begun.Store(false) // it may be the next part of a settlement
	if err := w.s.gate.enter(ctx); err != nil {
		return err
	}
	defer w.s.gate.leave()
	if len(w.ops) == 0 && w.mu.TryLock() {
		w.write([]*op{o})
		w.mu.Unlock()
		if len(w.ops) > 0 {
			w.signal()
		}
		return <-o.done
	}
	patience := time.NewTimer(writeWithin)
	defer patience.Stop()
	select {
	case w.ops <- o:
		w.signal()
	case <-patience.C:
		return errWaiting
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.done:
		return err
	case <-patience.C:
		if o.begun.CompareAndSwap(false, true) {
			return errWaiting
		}
		return <-o.done
	}
}

// errWaiting: a write has waited for its turn for long, because the database does not say what became of the one before.
var errWaiting = &busyError{errors.New("earlier writes wait for its answer")}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // run will look at everything when it wakes
	}
}

// run writes until ctx ends. Nobody may be in the gate then.
func (w *writer) run(ctx context.Context) {
	defer close(w.stopped)
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			w.mu.Lock()
			w.c.close()
			w.mu.Unlock()
			return
		}
		w.mu.Lock()
		for batch := w.gather(); len(batch) > 0; batch = w.gather() {
			w.write(batch)
		}
		w.mu.Unlock()
	}
}

// gather collects the waiting writes in a batch.
func (w *writer) gather() (batch []*op) {
	weight, bytes := 0, 0
	for {
		select {
		case o := <-w.ops:
			if !o.begun.CompareAndSwap(false, true) {
				continue
			}
			batch = append(batch, o)
			weight += o.weight
			if bytes += o.bytes; w.single || weight >= maxBatchWeight || bytes >= maxBatchBytes {
				return batch
			}
		default:
			return batch
		}
	}
}

// write commits the batch and answers its callers. A write that fails by itself does not fail the others.
func (w *writer) write(batch []*op) {
	ctx := context.Background() // a write that has begun ends
	for len(batch) > 0 {
		err := w.c.retry(ctx, func(ctx context.Context) error { return w.once(ctx, batch) })
		var failed *opError
		switch {
		case err == nil: // their answers come when it is published
			return
		case len(batch) == 1:
			answer(batch, err)
			return
		case errors.As(err, &failed):
			failed.op.done <- failed.err
			rest := make([]*op, 0, len(batch)-1)
			for _, o := range batch {
				if o != failed.op {
					rest = append(rest, o)
				}
			}
			batch = rest
		case errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrFull), errors.Is(err, store.ErrBroken):
			answer(batch, err)
			return
		default: // it is not known whose error it is
			for i := range batch {
				w.write(batch[i : i+1])
			}
			return
		}
	}
}

func answer(batch []*op, err error) {
	var failed *opError
	if errors.As(err, &failed) {
		err = failed.err
	}
	for _, o := range batch {
		o.done <- err
	}
}

// opError is the error of one write of a batch.
type opError struct {
	op  *op
	err error
}

func (e *opError) Error() string { return e.err.Error() }
func (e *opError) Unwrap() error { return e.err }

// once writes the batch in one transaction, whose success is answered when it is published.
func (w *writer) once(ctx context.Context, batch []*op) error {
	began := time.Now()
	if err := w.c.ready(ctx); err != nil {
		return errors.Join(conn.ErrAway, err)
	}
	x := w.newWork(ctx, batch, began)
	err := x.prepare()
	switch {
	case err != nil:
	case w.careful == 0 && x.plain(false):
		err = x.attempt()
	case w.careful == 0 && x.plain(true):
		err = x.hopefully()
	default:
		err = x.exactly()
		w.careful = max(0, w.careful-1)
	}
	if err = w.c.ended(ctx, err); conn.Hindered(err) {
		w.careful = 32
	}
	if err != nil && !passes(err) {
		x.wrote(err)
	}
	return err
}
