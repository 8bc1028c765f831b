package reads

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/columns"
	"evrun/store/postgres/schema"
)

// defaultAttempts is how many attempts are read: each may have an output of some 100 KiB.
const defaultAttempts = 20

// Attempts implements [store.Runs].
func (r *Reader) Attempts(ctx context.Context, q store.AttemptQuery) ([]store.Attempt, error) {
	run, err := r.FindRun(ctx, q.Run)
	if err != nil {
		return nil, err
	}
	if q.Before <= 0 || q.Before > math.MaxInt32 {
		q.Before = math.MaxInt32
	}
	attempts, err := list(ctx, r, func(rows pgx.Rows) (store.Attempt, error) { return scanAttempt(rows, &run) }, `
		WITH last AS (
			SELECT attempt FROM evrun.attempts WHERE sequence = $1 AND handler = $2 AND attempt < $3
			UNION SELECT attempt FROM evrun.run_outputs WHERE sequence = $1 AND handler = $2 AND attempt < $3
			ORDER BY attempt DESC LIMIT $4)
		SELECT l.attempt, coalesce(a.started_at, o.started_at), coalesce(a.finished_at, o.finished_at), a.error, coalesce(o.state, 0), o.layout, coalesce(o.text, '') FROM last l
			LEFT JOIN evrun.attempts a ON a.sequence = $1 AND a.handler = $2 AND a.attempt = l.attempt
			LEFT JOIN evrun.run_outputs o ON o.sequence = $1 AND o.handler = $2 AND o.attempt = l.attempt
		ORDER BY l.attempt`, run.Sequence, int64(run.HandlerID), q.Before, orDefault(q.Limit, defaultAttempts))
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	return attempts, nil
}

func scanAttempt(rows pgx.Rows, run *store.Run) (a store.Attempt, err error) {
	var (
		started        int64
		finished       *int64
		failed, layout *string
		state          store.RunState
		text           []byte
	)
	if err := rows.Scan(&a.Number, &started, &finished, &failed, &state, &layout, &text); err != nil {
		return a, err
	}
	if a.StartedAt = schema.Time(started); finished != nil {
		a.FinishedAt = schema.Time(*finished)
	}
	if failed != nil {
		a.Error = *failed
	}
	a.State = columns.AttemptState(run, &a, failed != nil, state)
	if layout != nil {
		if a.Output, err = columns.DecodeOutput(*layout, string(text)); err != nil {
			return a, fmt.Errorf("attempt %d of run %s: %w", a.Number, run.ID, err)
		}
	}
	return a, nil
}
