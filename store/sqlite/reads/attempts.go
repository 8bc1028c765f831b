package reads

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// defaultAttempts is how many attempts are read: each may have an output of some 100 KiB.
const defaultAttempts = 20

// Attempts implements [store.Runs].
func (r *Reader) Attempts(ctx context.Context, q store.AttemptQuery) ([]store.Attempt, error) {
	run, err := r.FindRun(ctx, q.Run)
	if err != nil {
		return nil, err
	}
	if q.Before <= 0 {
		q.Before = math.MaxInt
	}
	if q.Limit <= 0 {
		q.Limit = defaultAttempts
	}
	rows, err := r.db.QueryContext(ctx, `
		WITH last AS (
			SELECT attempt FROM attempts WHERE sequence = ?1 AND handler = ?2 AND attempt < ?3
			UNION SELECT attempt FROM run_outputs WHERE sequence = ?1 AND handler = ?2 AND attempt < ?3
			ORDER BY attempt DESC LIMIT ?4)
		SELECT l.attempt, ifnull(a.started_at, o.started_at), ifnull(a.finished_at, o.finished_at), a.error, o.state, o.layout, o.text FROM last l
			LEFT JOIN attempts a ON a.sequence = ?1 AND a.handler = ?2 AND a.attempt = l.attempt
			LEFT JOIN run_outputs o ON o.sequence = ?1 AND o.handler = ?2 AND o.attempt = l.attempt
		ORDER BY l.attempt`, run.Sequence, int64(run.HandlerID), q.Before, q.Limit)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	var attempts []store.Attempt
	for rows.Next() {
		var (
			a            store.Attempt
			started      int64
			finished     sql.NullInt64
			failed       sql.NullString
			state        sql.NullInt64
			layout, text sql.NullString
		)
		if err := rows.Scan(&a.Number, &started, &finished, &failed, &state, &layout, &text); err != nil {
			return nil, conn.Translate(err)
		}
		a.StartedAt, a.Error = schema.Time(started), failed.String
		if finished.Valid {
			a.FinishedAt = schema.Time(finished.Int64)
		}
		a.State = columns.AttemptState(&run, &a, failed.Valid, store.RunState(state.Int64))
		if layout.Valid {
			if a.Output, err = columns.DecodeOutput(layout.String, text.String); err != nil {
				return nil, fmt.Errorf("attempt %d of run %s: %w", a.Number, run.ID, err)
			}
		}
		attempts = append(attempts, a)
	}
	return attempts, conn.Translate(rows.Err())
}
