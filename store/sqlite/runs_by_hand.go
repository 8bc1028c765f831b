package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// Retry implements [store.Runs]. The selection is read before the transaction, which checks each run again.
func (s *Store) Retry(ctx context.Context, q store.RunQuery) ([]store.Run, error) {
	q.State, q.States = store.Dead, nil
	return s.change(ctx, "retry", q, `UPDATE runs SET state = 2, budget = attempt, next_attempt_at = ?3
		WHERE sequence = ?1 AND handler = ?2 AND state = 5 RETURNING attempt`,
		func(r *store.Run, now int64) {
			r.State, r.Budget, r.NextAttemptAt = store.Retrying, r.Attempt, schema.Time(now)
		})
}

// Drop implements [store.Runs].
func (s *Store) Drop(ctx context.Context, q store.RunQuery) (int, error) {
	if q.State == 0 && len(q.States) == 0 {
		q.State = store.Dead
	}
	states := q.States
	if q.State != 0 {
		states = []store.RunState{q.State}
	}
	dropped, err := s.change(ctx, "drop", q, `UPDATE runs AS r SET state = 6, finished_at = ?3, next_attempt_at = NULL, reason = CASE state
			WHEN 5 THEN 'dropped by hand; it was dead'
			ELSE 'dropped by hand; it was waiting for its handler, which was not wired' END
		WHERE sequence = ?1 AND handler = ?2 AND `+schema.InStates(states)+`
			AND (state = 5 OR state <= 2 AND (SELECT active FROM handlers WHERE id = ?2) = 0) RETURNING attempt, reason`,
		func(r *store.Run, now int64) {
			r.State, r.FinishedAt, r.NextAttemptAt = store.Dropped, schema.Time(now), time.Time{}
		})
	return len(dropped), err
}

// change runs a statement, with the parameters sequence, handler and time, for each run of a selection. It returns the changed runs. The statement
// returns their attempt and may return their reason.
func (s *Store) change(ctx context.Context, what string, q store.RunQuery, update string, changed func(r *store.Run, now int64)) ([]store.Run, error) {
	runs, err := s.Runs(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("%s runs: %w", what, err)
	}
	if len(runs) == 0 {
		return nil, nil
	}
	var done []store.Run
	err = s.w.submit(ctx, newOp(len(runs), 0, func(t *txn) error {
		done = done[:0]
		st, err := t.w.prepared(update)
		if err != nil {
			return t.check(err)
		}
		for _, r := range runs {
			var row [2]driver.Value
			err := st.QueryRow(row[:], r.Sequence, int64(r.HandlerID), t.now)
			if conn.NoRows(err) {
				continue // another handler has it now
			}
			if err != nil {
				return t.check(err)
			}
			attempt, _ := row[0].(int64)
			r.Attempt = int(attempt)
			r.Reason, _ = row[1].(string)
			changed(&r, t.now)
			done = append(done, r)
		}
		if t.wantRuns {
			t.runs = append(t.runs, done...)
		}
		return nil
	}))
	if err != nil {
		return nil, fmt.Errorf("%s runs: %w", what, err)
	}
	return done, nil
}
