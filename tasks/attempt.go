package tasks

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
)

// task is one run on its way through a consumer.
type task struct {
	event   *events.Event // nil when it must be read first: a retry
	seq     int64
	id      string // the run's; empty: it began under the handler's name
	attempt int    // the one that comes next, or that is under way
	budget  int    // attempts that don't count
	due     time.Time
	key     string // with order_by
	place   int    // in the retry clock
	next    *task  // what follows when it is over: the run was retried before its end was known here
	started time.Time
	claimed bool // the attempt is recorded in the store

	attempting bool // a goroutine makes its attempt

	gathered bool    // it is a burst that is over...
	joins    []int64 // ...and its other events, which have no run yet
}

// stored says whether t's run has a row already.
func (t *task) stored() bool { return t.attempt > 1 || t.claimed }

// lowest is the lowest sequence that t is for.
func (t *task) lowest() int64 {
	if len(t.joins) > 0 {
		return t.joins[0]
	}
	return t.seq
}

// delivery makes what the kind sees.
func (c *consumer) delivery(t *task) *Delivery {
	return &Delivery{
		Event: t.event, Env: expression.NewEnv(t.event), Handler: c.h.Name,
		RunID: c.runID(t), Attempt: t.attempt, MaxData: c.r.o.Emitter.maxData,
	}
}

// runID is the same at every attempt, also after another handler has taken the run over.
func (c *consumer) runID(t *task) string {
	if t.id != "" {
		return t.id
	}
	return store.RunID(t.seq, c.h.Name, c.r.o.Store.ID())
}

// wanted evaluates the handler's condition.
func (c *consumer) wanted(d *Delivery) (ok bool, err error) {
	if c.h.When == nil {
		return true, nil
	}
	defer recovered(&err)
	if ok, err = c.h.When.Bool(d.Env); err != nil {
		return false, fmt.Errorf("when: %w", err)
	}
	return ok, nil
}

// inside makes the settlement of an attempt whose effect runs in the writer's transaction.
func (c *consumer) inside(t *task, d *Delivery, action Inside) store.Settlement {
	effect, err := prepare(action, d)
	if err == nil {
		err = c.foresee(d)
	}
	if err != nil {
		return c.settlement(t, c.failed(t, d, err))
	}
	s := c.settlement(t, store.Outcome{})
	_, single := action.(SingleWrite)
	s.Atomic = c.atomic || !single
	if stating, ok := action.(Stating); ok {
		s.Statement, s.Hold = stating.UserStatement()
	}
	s.Effect = func(tx store.Tx) store.Outcome {
		defer d.within()()
		result, err := apply(effect, tx)
		if err != nil {
			return c.failed(t, d, err)
		}
		return c.succeeded(t, d, result)
	}
	return s
}

// computed is the settlement of an attempt whose result is known before the transaction.
func (c *consumer) computed(t *task, d *Delivery, action Computed) store.Settlement {
	result, err := compute(action, d)
	if err != nil {
		return c.settlement(t, c.failed(t, d, err))
	}
	return c.settlement(t, c.succeeded(t, d, result))
}

func compute(action Computed, d *Delivery) (result any, err error) {
	defer recovered(&err)
	return action.Compute(d)
}

func prepare(action Inside, d *Delivery) (effect Effect, err error) {
	defer recovered(&err)
	return action.Prepare(d)
}

func apply(effect Effect, tx store.Tx) (result any, err error) {
	defer recovered(&err)
	return effect(tx)
}

// outside runs an attempt outside of the writer's transaction: recorded first, where record has it, then done.
func (c *consumer) outside(ctx context.Context, t *task, d *Delivery, action func(context.Context, *Delivery) (any, error), record bool) attemptDone {
	done := attemptDone{t: t, d: d}
	work := ctx
	if done.storeErr = c.giveEvents(ctx, t, d); done.storeErr != nil {
		return done
	}
	claim := []store.Claim{{Handler: c.id, Sequence: t.seq, Attempt: t.attempt, At: t.started, Joins: t.joins}}
	for record && !t.claimed {
		started, err := c.r.o.Store.Start(ctx, claim)
		switch {
		case err == nil && !started[0]:
			done.fenced = true
			return done
		case err == nil:
			t.claimed = true
		case !temporary(err) || !pause(ctx, storeRetryEvery):
			done.storeErr = err
			return done
		}
	}
	if c.h.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.h.Timeout, fmt.Errorf("no answer within the timeout of %v", c.h.Timeout))
		defer cancel()
	}
	ended := c.r.known(d)
	done.result, done.err = do(ctx, action, d)
	ended()
	if done.err != nil && ctx.Err() != nil && errors.Is(done.err, ctx.Err()) {
		done.err = fmt.Errorf("%w: %w", context.Cause(ctx), done.err)
	}
	done.cutShort = done.err != nil && work.Err() != nil
	return done
}

func do(ctx context.Context, action func(context.Context, *Delivery) (any, error), d *Delivery) (result any, err error) {
	defer recovered(&err)
	return action(ctx, d)
}

// settlement ends t's attempt with an outcome.
func (c *consumer) settlement(t *task, out store.Outcome) store.Settlement {
	return store.Settlement{Event: t.event, Handler: c.id, ID: t.id, Attempt: t.attempt, Claimed: t.claimed, Started: t.started, Outcome: out, Joins: t.joins}
}

// failed is the outcome of an attempt that did not: another one later, or the end.
func (c *consumer) failed(t *task, d *Delivery, err error) store.Outcome {
	if !isPermanent(err) && t.attempt-t.budget < c.h.Retry.Attempts {
		return store.Outcome{State: store.Retrying, Error: c.words(err), NextAttemptAt: time.Now().Add(c.h.Retry.delay(t.attempt-t.budget, err))}
	}
	return c.dead(t, d, err)
}

// cutShort is the outcome of an attempt that the daemon's stop ended: the next one follows the next start, and the handler's
// attempts are as many as before.
func (c *consumer) cutShort(err error) store.Outcome {
	return store.Outcome{State: store.Retrying, Error: c.words(err), NextAttemptAt: time.Now(), Uncounted: true}
}

// words is the text of an error as it may be stored, logged and published.
func (c *consumer) words(err error) string {
	if c.h.Redact == nil {
		return err.Error()
	}
	return c.h.Redact(err.Error())
}

// recovered turns a panic into an error that keeps its stack.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// storeRetryEvery is how often a write is tried again while the store has no space, or is locked.
const storeRetryEvery = time.Second

// temporary says whether the store may take the same write later.
func temporary(err error) bool { return errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrBusy) }

// pause waits, and says whether ctx goes on.
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
