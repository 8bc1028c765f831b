package control

import (
	"context"
	"errors"
	"fmt"

	"evrun/store"
)

// deadPage is how many dead runs are retried or dropped in one write. Other writes get their turn in between.
const deadPage = 500

// DeadRuns retries and drops dead runs: one by its id, or a selection, page by page. It also drops runs that wait for a handler that is not wired.
type DeadRuns struct {
	Store store.Store
	// Retry retries a page: the runner's Retry, or the store's without a runner.
	Retry func(ctx context.Context, q store.RunQuery) ([]store.Run, error)
}

// droppable are the states that a run may be dropped in: see [store.Runs.Drop].
var droppable = []store.RunState{store.Dead, store.Running, store.Retrying}

// NotDeadError says that a run can't be retried or dropped because it isn't dead.
type NotDeadError struct{ Run store.Run }

func (e *NotDeadError) Error() string {
	return fmt.Sprintf("run %s is %s: only a dead one can be retried or dropped", e.Run.ID, e.Run.State)
}

// RetryRun makes one run due again now, and returns it. The error is [store.ErrNotFound], a [*NotDeadError], or the store's.
func (d DeadRuns) RetryRun(ctx context.Context, id string) (store.Run, error) {
	runs, err := d.Retry(ctx, store.RunQuery{ID: id})
	if err != nil {
		return store.Run{}, err
	}
	if len(runs) == 0 {
		return store.Run{}, d.notDead(ctx, id)
	}
	return runs[0], nil
}

// DropRun drops one run; dropping it again changes nothing. Errors are as in RetryRun.
func (d DeadRuns) DropRun(ctx context.Context, id string) error {
	n, err := d.Store.Drop(ctx, store.RunQuery{ID: id, States: droppable})
	if err != nil || n > 0 {
		return err
	}
	err = d.notDead(ctx, id)
	if is := (*NotDeadError)(nil); errors.As(err, &is) && is.Run.State == store.Dropped {
		return nil
	}
	return err
}

func (d DeadRuns) notDead(ctx context.Context, id string) error {
	run, err := d.Store.FindRun(ctx, id)
	if err != nil {
		return err
	}
	return &NotDeadError{run}
}

// RetryRuns makes the dead runs of a selection due now, and returns their number. It begins with the oldest event, so that no run begins before an
// older one of its key. A run that dies again meanwhile stays dead; so do runs on events that are accepted meanwhile. After an error, some runs may
// have been retried.
func (d DeadRuns) RetryRuns(ctx context.Context, q store.RunQuery) (int, error) {
	q.State, q.States, q.Oldest = store.Dead, nil, true
	return d.pages(ctx, q, func(q store.RunQuery) (int, error) {
		runs, err := d.Retry(ctx, q)
		return len(runs), err
	})
}

// DropRuns drops the runs of a selection, page by page like RetryRuns, and returns their number. It drops dead runs, unless the selection names other
// states.
func (d DeadRuns) DropRuns(ctx context.Context, q store.RunQuery) (int, error) {
	if q.State == 0 && len(q.States) == 0 {
		q.State = store.Dead
	}
	return d.pages(ctx, q, func(q store.RunQuery) (int, error) { return d.Store.Drop(ctx, q) })
}

// pages calls do with each page of a selection and returns the sum of its results. Each page begins after the previous one, so that a run that dies
// again meanwhile is not selected twice.
func (d DeadRuns) pages(ctx context.Context, q store.RunQuery, do func(store.RunQuery) (int, error)) (total int, err error) {
	head, err := d.Store.Head(ctx)
	if err != nil {
		return 0, err
	}
	q.Before, q.Limit = head+1, deadPage
	for {
		page, err := d.Store.Runs(ctx, q)
		if err != nil || len(page) == 0 {
			return total, err
		}
		n, err := do(q)
		if total += n; err != nil {
			return total, err
		}
		q.AfterID = page[len(page)-1].ID
	}
}
