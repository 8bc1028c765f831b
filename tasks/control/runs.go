package control

import (
	"context"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
)

// Changing changes runs: a [evrun/tasks.Runner], which also tells its workers, or a [evrun/tasks.Stored]. See [store.Runs].
type Changing interface {
	Retry(ctx context.Context, c store.Change) ([]store.Run, error)
	Cancel(ctx context.Context, c store.Change) ([]store.Run, error)
	Drop(ctx context.Context, c store.Change) ([]store.Run, error)
	Resend(ctx context.Context, c store.Change, with map[string]*events.Event) ([]store.Run, error)
}

// Runs retries, cancels and drops runs in the name of the context's actor, one by its id: that leaves an event in the audit trail. Package batches does it to a
// selection.
type Runs struct {
	Store   store.Store
	Emitter *emitter.Emitter
	Do      Changing
}

// The states that runs can be retried, cancelled and dropped in.
var (
	Retryable   = []store.RunState{store.Dead, store.Retrying, store.Cancelled}
	Cancellable = []store.RunState{store.Running, store.Retrying, store.Waiting}
	Droppable   = []store.RunState{store.Dead, store.Running, store.Retrying}
)

// StateError says that a run is in a state in which it can't be changed like this, and what can be done instead.
type StateError struct {
	Run  store.Run
	What string // was to be done: "retried"
}

func (e *StateError) Error() string {
	text := fmt.Sprintf("run %s is %s", e.Run.ID, e.Run.State)
	if e.Run.Cancelling {
		return text + ", and is being cancelled: wait until its attempt has ended"
	}
	switch {
	case e.What == "cancelled" && e.Run.State == store.Dead:
		return text + ": nothing is left to cancel; retry or drop it"
	case e.What == "cancelled":
		return text + ": nothing is left to cancel"
	case e.What == "dropped" && (e.Run.State == store.Running || e.Run.State == store.Retrying || e.Run.State == store.Waiting):
		return text + ": only a dead one can be dropped, while its handler is in the wiring file; cancel it"
	case e.What == "dropped":
		return text + ": only a dead one can be dropped"
	case e.Run.State == store.Dropped && e.Run.Reason != "":
		return text + ": " + e.Run.Reason
	case e.Run.State == store.Waiting:
		return text + ": it has not begun, and " + `"evrun runs show" says what it waits for`
	case e.Run.State == store.Running:
		return text + ": its attempt goes on; cancel it first, or wait until it has ended"
	case e.Run.State == store.Succeeded || e.Run.State == store.Skipped:
		return text + `: only a dead, retrying or cancelled one can be retried; "evrun replay" runs its handler again`
	}
	return text + ": only a dead, retrying or cancelled one can be retried"
}

// Retry makes one run due again now, and returns it. The error is [store.ErrNotFound], a [*StateError], or the store's.
func (r Runs) Retry(ctx context.Context, id string) (store.Run, error) {
	return r.one(ctx, id, "", "retried", events.TypeAuditRunRetried, Retryable, r.Do.Retry)
}

// Cancel ends one run, or its attempt: then the run is returned as Cancelling, and ends with its attempt. A run that was cancelled before is returned as
// it is. why is the reason in the operator's words, or empty. Errors are as in Retry.
func (r Runs) Cancel(ctx context.Context, id, why string) (store.Run, error) {
	return r.one(ctx, id, why, "cancelled", events.TypeAuditRunCancelled, Cancellable, r.Do.Cancel)
}

// Drop drops one run, and returns it; dropping it again changes nothing. Errors are as in Retry.
func (r Runs) Drop(ctx context.Context, id string) (store.Run, error) {
	return r.one(ctx, id, "", "dropped", events.TypeAuditRunDropped, Droppable, r.Do.Drop)
}

// one changes one run.
func (r Runs) one(ctx context.Context, id, why, done, typ string, states []store.RunState,
	do func(context.Context, store.Change) ([]store.Run, error)) (store.Run, error) {
	data := map[string]any{"run": id, "count": 1}
	if why != "" {
		data["reason"] = why
	}
	e, err := audit.Event(ctx, r.Emitter, typ, data)
	if err != nil {
		return store.Run{}, err
	}
	runs, err := do(ctx, store.Change{
		Query: store.RunQuery{ID: id, States: states}, By: audit.From(ctx).String(), Why: why, Events: []*events.Event{e},
	})
	if err != nil {
		return store.Run{}, err
	}
	if len(runs) > 0 {
		return runs[0], nil
	}
	run, err := Find(ctx, r.Store, id)
	switch {
	case err != nil:
		return store.Run{}, err
	case (run.State == store.Cancelled || run.Cancelling) && typ == events.TypeAuditRunCancelled, run.State == store.Dropped && typ == events.TypeAuditRunDropped:
		return run, nil
	}
	return run, &StateError{run, done}
}

// Find returns the run with this id, also one that waits; or [store.ErrNotFound].
func Find(ctx context.Context, s store.Store, id string) (store.Run, error) {
	run, err := s.FindRun(ctx, id)
	if err == nil {
		return run, nil
	}
	if waiting, werr := store.FindWaiting(ctx, s, id); werr == nil {
		return waiting, nil
	}
	return run, err
}
