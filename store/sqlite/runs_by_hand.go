package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// change is what people do to runs: which ones, and how each is changed.
type change struct {
	store.Change
	name string          // "retry"
	more []*events.Event // that one may accept
	// one changes a run, as far as the transaction finds it in one of the query's states; false: nothing was changed.
	one func(t *txn, r *store.Run) (bool, error)
}

// Retry implements [store.Runs].
func (s *Store) Retry(ctx context.Context, c store.Change) ([]store.Run, error) {
	c.Query.Among(store.Dead)
	update := `UPDATE runs AS r SET state = 2, budget = CASE state WHEN 2 THEN budget ELSE attempt END, next_attempt_at = ?3, reason = NULL
		WHERE sequence = ?1 AND handler = ?2 AND state IN (2, 5, 7) AND ` + columns.InStates(c.Query.States) + `
			AND EXISTS (SELECT 1 FROM handlers WHERE id = ?2 AND (active = 1 OR left_at IS NOT NULL)) RETURNING attempt, budget`
	return s.change(ctx, change{Change: c, name: "retry", one: func(t *txn, r *store.Run) (bool, error) {
		var row [2]driver.Value
		ok, err := t.changeRun(update, row[:], r.Sequence, int64(r.HandlerID), t.now)
		if ok {
			t.reopened = true
			r.Attempt, r.Budget = integer(row[0]), integer(row[1])
			r.State, r.NextAttemptAt, r.Reason = store.Retrying, schema.Time(t.now), ""
		}
		return ok, err
	}})
}

// Drop implements [store.Runs].
func (s *Store) Drop(ctx context.Context, c store.Change) ([]store.Run, error) {
	c.Query.Among(store.Dead)
	update := `UPDATE runs AS r SET state = 6, finished_at = ?3, next_attempt_at = NULL, reason = ?4 || CASE state
			WHEN 5 THEN '; it was dead'
			ELSE '; it was waiting for its handler, which was not wired' END
		WHERE sequence = ?1 AND handler = ?2 AND ` + columns.InStates(c.Query.States) + `
			AND (state = 5 OR state <= 2 AND (SELECT active FROM handlers WHERE id = ?2) = 0) RETURNING attempt, reason`
	return s.change(ctx, change{Change: c, name: "drop", one: func(t *txn, r *store.Run) (bool, error) {
		var row [2]driver.Value
		ok, err := t.changeRun(update, row[:], r.Sequence, int64(r.HandlerID), t.now, c.Reason("dropped"))
		if ok {
			r.Attempt = integer(row[0])
			r.Reason, _ = row[1].(string)
			r.State, r.FinishedAt, r.NextAttemptAt = store.Dropped, schema.Time(t.now), time.Time{}
		}
		return ok, err
	}})
}

// Resend implements [store.Runs].
func (s *Store) Resend(ctx context.Context, c store.Change, with map[string]*events.Event) ([]store.Run, error) {
	c.Query = store.RunQuery{IDs: slices.Sorted(maps.Keys(with)), Limit: len(with), Oldest: true}
	if len(with) == 0 {
		c.Query.Sequence = -1 // no run has it: the change is only a step
	}
	c.Query.Among(store.Retrying, store.Dead, store.Cancelled)
	update := `UPDATE runs SET state = 6, finished_at = ?3, next_attempt_at = NULL, reason = ?4
		WHERE sequence = ?1 AND handler = ?2 AND state IN (2, 5, 7) RETURNING attempt`
	return s.change(ctx, change{Change: c, name: "resend", more: slices.Collect(maps.Values(with)), one: func(t *txn, r *store.Run) (bool, error) {
		var row [1]driver.Value
		reason := c.Reason(fmt.Sprintf("edited and sent again as #%d", t.next))
		ok, err := t.changeRun(update, row[:], r.Sequence, int64(r.HandlerID), t.now, reason)
		if !ok {
			return false, err
		}
		r.State, r.Attempt, r.Reason, r.FinishedAt, r.NextAttemptAt = store.Dropped, integer(row[0]), reason, schema.Time(t.now), time.Time{}
		return true, t.emit([]*events.Event{with[r.ID]})
	}})
}

// Cancel implements [store.Runs].
func (s *Store) Cancel(ctx context.Context, c store.Change) ([]store.Run, error) {
	c.Query.Among(store.Running, store.Retrying, store.Waiting)
	stored := c.Query.Stored()
	// ?5: the run's attempt may be under way, so it is only marked.
	update := `UPDATE runs AS r SET state = CASE WHEN state = 1 AND ?5 THEN 1 ELSE 7 END,
			finished_at = CASE WHEN state = 1 AND ?5 THEN finished_at ELSE ?3 END, next_attempt_at = NULL, reason = ifnull(reason, ?4)
		WHERE sequence = ?1 AND handler = ?2 AND state <= 2 AND (state = 2 OR reason IS NULL OR NOT ?5) AND ` + columns.InStates(stored) + `
		RETURNING state, attempt, budget`
	insert := `INSERT INTO runs (sequence, handler, state, attempt, started_at, finished_at, reason)
		SELECT ?1, ?2, 7, 0, ?3, ?3, ?4 WHERE EXISTS (SELECT 1 FROM handlers WHERE id = ?2 AND low_water < ?1) ON CONFLICT DO NOTHING RETURNING 7, 0, 0`
	reason := c.Reason("cancelled")
	return s.change(ctx, change{Change: c, name: "cancel", one: func(t *txn, r *store.Run) (bool, error) {
		var row [3]driver.Value
		ok := false
		var err error
		if len(stored) > 0 {
			ok, err = t.changeRun(update, row[:], r.Sequence, int64(r.HandlerID), t.now, reason, number(c.Live[r.Handler]))
		}
		if !ok && err == nil && r.State == store.Waiting {
			if ok, err = t.changeRun(insert, row[:], r.Sequence, int64(r.HandlerID), t.now, reason); ok {
				err = t.noteRun(r.HandlerID, store.Cancelled, r.Sequence)
			}
		}
		if !ok || err != nil {
			return false, err
		}
		r.State, r.Attempt, r.Budget = store.RunState(integer(row[0])), integer(row[1]), integer(row[2])
		r.Reason, r.NextAttemptAt = reason, time.Time{}
		if r.Cancelling = r.State == store.Running; r.Cancelling {
			r.Reason = store.Being + reason
		} else {
			r.FinishedAt = schema.Time(t.now)
		}
		return true, nil
	}})
}

// changeRun runs a statement that changes one run and returns a row, or none.
func (t *txn) changeRun(query string, row []driver.Value, args ...driver.Value) (ok bool, err error) {
	st, err := t.w.prepared(query)
	if err == nil {
		err = st.QueryRow(row, args...)
	}
	if conn.NoRows(err) {
		return false, nil // it is in another state now, or another handler has it
	}
	return err == nil, t.check(err)
}

func integer(v driver.Value) int {
	n, _ := v.(int64)
	return int(n)
}

// change changes the runs of a selection and returns those that were changed. The selection is read before the transaction, which checks each run again.
func (s *Store) change(ctx context.Context, c change) ([]store.Run, error) {
	runs := c.Runs
	if runs == nil {
		var err error
		if runs, err = store.SelectRuns(ctx, s, c.Query); err != nil {
			return nil, fmt.Errorf("%s runs: %w", c.name, err)
		}
	}
	if len(runs) == 0 && c.Step == nil {
		return nil, nil
	}
	var done []store.Run
	err := s.w.submit(ctx, newOp(len(runs)+len(c.Events)+len(c.more), payload(c.Events)+payload(c.more), func(t *txn) error {
		done = done[:0]
		for _, r := range runs {
			ok, err := c.one(t, &r)
			if err != nil {
				return err
			}
			if ok {
				done = append(done, r)
			}
		}
		if t.wantRuns {
			t.runs = append(t.runs, done...)
		}
		if len(done) > 0 {
			if err := t.emit(c.Events); err != nil {
				return err
			}
		}
		return t.step(c.Step, len(done))
	}))
	if err != nil {
		return nil, fmt.Errorf("%s runs: %w", c.name, err)
	}
	return done, nil
}
