package tasks

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/emission"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/queue"
)

// delivery returns the kind's view of a task. It may exist already, because the queue asked for the event's key.
func (w *worker) delivery(t *queue.Task) *Delivery {
	if d, ok := t.Scratch.(*Delivery); ok {
		return d
	}
	d := &Delivery{
		Event: t.Event, Env: expression.NewEnv(t.Event), Handler: w.h.Name,
		RunID: w.runID(t), Attempt: t.Attempt, MaxData: w.r.o.Emitter.MaxData(), tracer: w.r.o.Tracer,
	}
	d.Env.In(d.RunID, d.Handler, d.Attempt)
	t.Scratch = d
	return d
}

// runID returns the run's id, which is the same at every attempt, even after another handler has taken the run over.
func (w *worker) runID(t *queue.Task) string {
	if t.ID != "" {
		return t.ID
	}
	return store.RunID(t.Seq, w.h.Name, w.r.o.Store.ID())
}

// wanted evaluates the handler's condition.
func (w *worker) wanted(d *Delivery) (ok bool, err error) {
	if w.h.When == nil {
		return true, nil
	}
	defer recovered(&err)
	if ok, err = w.h.When.Bool(d.Env); err != nil {
		return false, fmt.Errorf("when: %w", err)
	}
	return ok, nil
}

// keyOf evaluates the expression for an event's key; what is the expression's name in errors. A long key is replaced by its digest.
func keyOf(by *expression.Expr, what string, d *Delivery) (key string, err error) {
	defer recovered(&err)
	v, err := by.Eval(d.Env)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if key = fmt.Sprintf("%T %v", v, v); len(key) > 2*sha256.Size {
		sum := sha256.Sum256([]byte(key))
		key = string(sum[:])
	}
	return key, nil
}

// inside makes the settlement of an attempt whose effect runs in the writer's transaction.
func (w *worker) inside(t *queue.Task, d *Delivery, action Inside) store.Settlement {
	effect, err := safely(func() (Effect, error) { return action.Prepare(d) })
	if err == nil {
		d.foreseen, err = safely(func() (*emission.Foreseen, error) { return w.events.Foresee(d.run()) })
	}
	if err != nil {
		return w.settlement(t, w.failed(t, d, err))
	}
	s := w.settlement(t, store.Outcome{})
	if stating, ok := action.(Stating); ok {
		s.Statement, s.Hold = stating.UserStatement()
	}
	outcome := func(call func() (any, error)) store.Outcome {
		defer d.foreseen.Within(d.Env)()
		result, err := safely(call)
		if err != nil {
			return w.failed(t, d, err)
		}
		return w.succeeded(t, d, result)
	}
	if effect.User != nil {
		s.Insert = &store.UserInsert{User: *effect.User, On: effect.On, Then: func(u store.User, err error) store.Outcome {
			return outcome(func() (any, error) { return effect.Stored(u, err) })
		}}
	} else {
		s.Effect = func(tx store.Tx) store.Outcome {
			return outcome(func() (any, error) { return effect.Write(tx) })
		}
	}
	return s
}

// computed returns the outcome of an attempt whose result is known before the transaction.
func (w *worker) computed(t *queue.Task, d *Delivery, action Computed) store.Outcome {
	result, err := safely(func() (any, error) { return action.Compute(d) })
	if err != nil {
		return w.failed(t, d, err)
	}
	return w.succeeded(t, d, result)
}

// succeeded returns the outcome of a successful attempt, with its events. If the events can't be made, the attempt has failed.
func (w *worker) succeeded(t *queue.Task, d *Delivery, result any) store.Outcome {
	evs, err := safely(func() ([]*events.Event, error) { return w.events.Follows(d.run(), d.foreseen, result) })
	if err != nil {
		return w.failed(t, d, err)
	}
	return store.Outcome{State: store.Succeeded, Emit: evs}
}

// make makes an attempt outside the writer's transaction. It runs in a goroutine of the pool.
func (w *worker) make(work context.Context, a *attempt) {
	if a.storeErr = w.readEvents(work, a.t, a.d); a.storeErr != nil {
		return
	}
	ctx, end := context.WithCancelCause(work)
	defer end(nil)
	if !w.pool.begins(a, end) {
		return
	}
	if w.h.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.h.Timeout, fmt.Errorf("no answer within the timeout of %v", w.h.Timeout))
		defer cancel()
	}
	w.r.attempts.know(a.d)
	if _, prints := w.h.Action.(Printer); prints {
		p := &printing{all: w.r.printings, keep: w.h.KeepOutput, handler: w.id, seq: a.t.Seq, run: a.d.RunID, attempt: a.t.Attempt, began: a.began, looked: a.began}
		a.d.printing = p
		defer func() { a.output = p.end() }()
	}
	a.result, a.err = safely(func() (any, error) { return w.do(ctx, a.d) })
	w.r.attempts.forget(a.d)
	if a.err != nil && ctx.Err() != nil && errors.Is(a.err, ctx.Err()) {
		a.err = fmt.Errorf("%w: %w", context.Cause(ctx), a.err)
	}
	a.cutShort = a.err != nil && work.Err() != nil
}

func (w *worker) do(ctx context.Context, d *Delivery) (any, error) {
	if reading, ok := w.h.Action.(Reading); ok {
		return reading.Read(ctx, w.r.o.Store, d)
	}
	return w.h.Action.(Outside).Do(ctx, d)
}

// failed returns the outcome of a failed attempt: a retry, or a dead run.
func (w *worker) failed(t *queue.Task, d *Delivery, err error) store.Outcome {
	if !isPermanent(err) && t.Attempt-t.Budget < w.h.Retry.Attempts {
		return store.Outcome{State: store.Retrying, Error: w.words(err), NextAttemptAt: time.Now().Add(w.h.Retry.delay(t.Attempt-t.Budget, err))}
	}
	return w.dead(t, d, err)
}

// cutShort returns the outcome of an attempt that the daemon's stop ended: it is repeated after the next start and does not count against the
// handler's attempts.
func (w *worker) cutShort(err error) store.Outcome {
	return store.Outcome{State: store.Retrying, Error: w.words(err), NextAttemptAt: time.Now(), Uncounted: true}
}

// maxErrorText is how many bytes of an attempt's error are kept. An error may quote what a server sent.
const maxErrorText = 64 << 10

// words returns the text of an error, safe to store, log and publish.
func (w *worker) words(err error) string {
	text := err.Error()
	if w.h.Redact != nil {
		text = w.h.Redact(text) // before it is cut: half a secret can't be found
	}
	return emitter.Cut(text, maxErrorText)
}

// safely calls a kind's code. A panic becomes its error.
func safely[T any](call func() (T, error)) (result T, err error) {
	defer recovered(&err)
	return call()
}

// recovered turns a panic into an error that keeps its stack.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// storeRetryEvery is the time between two tries of a write while the store has no space or is locked.
const storeRetryEvery = time.Second

// temporary reports whether the same write may succeed later.
func temporary(err error) bool { return errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrBusy) }

// pause waits for d. It returns false if ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
