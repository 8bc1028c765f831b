package tasks

import (
	"context"

	"evrun/events"
	"evrun/store"
)

// Retry makes runs due now, as [store.Runs] does, and returns them. They keep their history and idempotency keys. With order_by, such a run takes its
// place in the order of its key, before all events that begin after Retry has returned.
func (r *Runner) Retry(ctx context.Context, c store.Change) ([]store.Run, error) {
	return r.byHand(ctx, c, r.o.Store.Retry)
}

// Cancel ends runs, as [store.Runs] does: those that don't run at once, the others when their attempts, whose contexts it ends, have returned. They are
// returned as Cancelling.
func (r *Runner) Cancel(ctx context.Context, c store.Change) ([]store.Run, error) {
	c.Live = r.live()
	return r.byHand(ctx, c, r.o.Store.Cancel)
}

// Drop ends runs for good, as [store.Runs] does.
func (r *Runner) Drop(ctx context.Context, c store.Change) ([]store.Run, error) {
	return r.o.Store.Drop(ctx, c)
}

// Resend ends runs, each for an event in its place, as [store.Runs] does.
func (r *Runner) Resend(ctx context.Context, c store.Change, with map[string]*events.Event) ([]store.Run, error) {
	return r.byHand(ctx, c, func(ctx context.Context, c store.Change) ([]store.Run, error) { return r.o.Store.Resend(ctx, c, with) })
}

// live returns the names of the handlers whose attempts run here: those that have begun, and those that have left and are ending.
func (r *Runner) live() map[string]bool {
	live := map[string]bool{}
	for name, m := range r.wired.Load().members {
		live[name] = m.hasBegun()
	}
	r.wiring.Lock()
	defer r.wiring.Unlock()
	for name, left := range r.leaving {
		if len(left) > 0 {
			live[name] = true
		}
	}
	return live
}

// byHand changes runs in the store and tells their workers, in the order of the changes.
func (r *Runner) byHand(ctx context.Context, c store.Change, do func(context.Context, store.Change) ([]store.Run, error)) ([]store.Run, error) {
	r.changing.Lock()
	defer r.changing.Unlock()
	runs, err := do(ctx, c)
	if err != nil {
		return nil, err
	}
	of := map[string][]store.Run{}
	for _, run := range runs {
		of[run.Handler] = append(of[run.Handler], run)
	}
	// After the commit: a worker that begins later than this reads the store.
	for _, m := range r.members() {
		if runs := of[m.h.Name]; len(runs) > 0 {
			m.w.changed.Give(runs)
		}
	}
	return runs, nil
}
