package reads

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

const runColumns = `r.sequence, r.handler, h.name, r.state, r.attempt, r.budget, r.started_at, r.finished_at, r.next_attempt_at, r.error,
	CASE WHEN r.state = 1 AND r.reason IS NOT NULL THEN '` + schema.Being + `' || r.reason
		WHEN r.state = 3 AND r.reason IS NOT NULL THEN 'it had succeeded before it could be ' || r.reason
		WHEN r.state <= 2 AND h.active = 0 THEN 'waits for its handler, which is not in the wiring file'
		WHEN r.state <= 2 AND h.paused = 1 THEN 'waits for its handler, which is paused'
		WHEN r.state <= 2 AND h.disabled_at IS NOT NULL THEN 'waits for its handler, which is disabled in the wiring file'
		WHEN r.state = 1 AND r.budget >= r.attempt THEN 'claimed; its attempt may not have begun' ELSE r.reason END,
	r.state = 1 AND r.reason IS NOT NULL, r.joined, b.name, e.id, e.type, ifnull(e.chain, e.sequence)`

const runTables = ` FROM runs r JOIN handlers h ON h.id = r.handler LEFT JOIN handlers b ON b.id = r.began_as
	LEFT JOIN events e ON e.sequence = r.sequence `

// hasID is a condition on r: the run of an event that began under a handler's name, as in a run's id.
const hasID = `r.sequence = ? AND ifnull(r.began_as, r.handler) = (SELECT id FROM handlers WHERE name = ?)`

// queryRuns reads runs; tail is the SQL from WHERE on.
func (r *Reader) queryRuns(ctx context.Context, tail string, args ...any) ([]store.Run, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT `+runColumns+runTables+tail, args...)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	var runs []store.Run
	for rows.Next() {
		var (
			run                           store.Run
			started                       int64
			finished, next, joined, chain sql.NullInt64
			beganAs, reason               sql.NullString
			text, id, typ                 sql.NullString
		)
		if err := rows.Scan(&run.Sequence, &run.HandlerID, &run.Handler, &run.State, &run.Attempt, &run.Budget, &started, &finished, &next, &text,
			&reason, &run.Cancelling, &joined, &beganAs, &id, &typ, &chain); err != nil {
			return nil, conn.Translate(err)
		}
		if run.ID = store.RunID(run.Sequence, run.Handler, r.id); beganAs.Valid {
			run.ID = store.RunID(run.Sequence, beganAs.String, r.id)
		}
		run.Joined, run.Chain = joined.Int64, chain.Int64
		run.EventID, run.Type, run.Error, run.Reason = id.String, typ.String, text.String, reason.String
		if run.Attempt > 0 {
			run.StartedAt = schema.Time(started)
		}
		if finished.Valid {
			run.FinishedAt = schema.Time(finished.Int64)
		}
		if next.Valid {
			run.NextAttemptAt = schema.Time(next.Int64)
		}
		runs = append(runs, run)
	}
	return runs, conn.Translate(rows.Err())
}

// Pending implements [store.Runs]. Running ones come first: their next_attempt_at is NULL.
func (r *Reader) Pending(ctx context.Context, h store.HandlerID, limit int) ([]store.Run, error) {
	return r.queryRuns(ctx, `WHERE r.handler = ? AND r.state <= 2 ORDER BY r.next_attempt_at, r.sequence LIMIT ?`, int64(h), limit)
}

// PendingAfter implements [store.Runs]. The index alone decides which runs come next.
func (r *Reader) PendingAfter(ctx context.Context, h store.HandlerID, after int64, limit int) ([]store.Run, error) {
	return r.queryRuns(ctx, `WHERE r.handler = ?1 AND r.sequence IN (SELECT sequence FROM runs INDEXED BY runs_pending
		WHERE handler = ?1 AND state <= 2 AND sequence > ?2 ORDER BY sequence LIMIT ?3) ORDER BY r.sequence`, int64(h), after, limit)
}

// Counts implements [store.Runs]. Both parts read only a partial index of the runs in these states.
func (r *Reader) Counts(ctx context.Context) (map[string]store.Counts, error) {
	rows, err := r.db.QueryContext(ctx, `
		SELECT h.name, sum(running), sum(retrying), sum(dead) FROM (
			SELECT handler, count(*) - count(next_attempt_at) AS running, count(next_attempt_at) AS retrying, 0 AS dead
			FROM runs INDEXED BY runs_pending WHERE state <= 2 GROUP BY handler
			UNION ALL
			SELECT handler, 0, 0, count(*) FROM runs INDEXED BY runs_dead WHERE state = 5 GROUP BY handler
		) JOIN handlers h ON h.id = handler GROUP BY handler`)
	if err != nil {
		return nil, fmt.Errorf("count runs: %w", conn.Translate(err))
	}
	defer rows.Close()
	counts := map[string]store.Counts{}
	for rows.Next() {
		var name string
		var c store.Counts
		if err := rows.Scan(&name, &c.Running, &c.Retrying, &c.Dead); err != nil {
			return nil, fmt.Errorf("count runs: %w", conn.Translate(err))
		}
		counts[name] = c
	}
	return counts, conn.Translate(rows.Err())
}

// FindRun implements [store.Runs].
func (r *Reader) FindRun(ctx context.Context, id string) (store.Run, error) {
	sequence, handler, storeID, err := store.ParseRunID(id)
	if err != nil {
		return store.Run{}, err
	}
	runs, err := r.queryRuns(ctx, `WHERE `+hasID, sequence, handler)
	if err != nil {
		return store.Run{}, err
	}
	if len(runs) == 0 || storeID != r.id {
		return store.Run{}, fmt.Errorf("run %q: %w", id, store.ErrNotFound)
	}
	return runs[0], nil
}

// Runs implements [store.Runs].
func (r *Reader) Runs(ctx context.Context, q store.RunQuery) ([]store.Run, error) {
	where, args, err := r.selectRuns(q)
	if err != nil {
		return nil, err
	}
	if q.Limit <= 0 {
		q.Limit = max(1000, len(q.IDs))
	}
	order := "DESC"
	if q.Oldest {
		order = "ASC"
	}
	return r.queryRuns(ctx, where+` ORDER BY r.sequence `+order+`, r.handler LIMIT ?`, append(args, q.Limit)...)
}

// selectRuns turns a query into a condition on r and h.
func (r *Reader) selectRuns(q store.RunQuery) (where string, args []any, err error) {
	conditions := []string{"1"}
	add := func(condition string, value any) {
		conditions = append(conditions, condition)
		args = append(args, value)
	}
	if q.ID != "" {
		sequence, handler, storeID, err := store.ParseRunID(q.ID)
		if err != nil {
			return "", nil, err
		}
		if storeID != r.id {
			return "", nil, fmt.Errorf("run %q: %w", q.ID, store.ErrNotFound)
		}
		conditions = append(conditions, hasID)
		args = append(args, sequence, handler)
	}
	if len(q.IDs) > 0 {
		condition, values := r.hasIDs(q.IDs)
		conditions = append(conditions, condition)
		args = append(args, values...)
	}
	if q.Handler != "" {
		add("h.name = ?", q.Handler)
	}
	if q.State != 0 {
		// A literal, not a parameter: only then SQLite uses the partial indexes.
		conditions = append(conditions, fmt.Sprintf("r.state = %d", q.State))
	}
	if len(q.States) > 0 {
		conditions = append(conditions, schema.InStates(q.States))
	}
	if q.AfterID != "" {
		sequence, handler, _, err := store.ParseRunID(q.AfterID)
		if err != nil {
			return "", nil, err
		}
		less := "<"
		if q.Oldest {
			less = ">"
		}
		add("r.sequence "+less+"= ?", sequence)
		add("(r.sequence "+less+" ?", sequence)
		// The run's present handler, which may differ from the one in its id; if the run was deleted, the handler of that name.
		conditions[len(conditions)-1] += ` OR r.handler > ifnull((SELECT r.handler FROM runs r WHERE ` + hasID + `), (SELECT id FROM handlers WHERE name = ?)))`
		args = append(args, sequence, handler, handler)
	}
	if q.Sequence != 0 {
		add("r.sequence = ?", q.Sequence)
	}
	if q.Before != 0 {
		add("r.sequence < ?", q.Before)
	}
	return "WHERE " + strings.Join(conditions, " AND "), args, nil
}

// hasIDs is a condition on r: one of the runs with these ids. An id that no run of this store can have matches none.
func (r *Reader) hasIDs(ids []string) (condition string, args []any) {
	parts := []string{"0"}
	for _, id := range ids {
		sequence, handler, storeID, err := store.ParseRunID(id)
		if err == nil && storeID == r.id {
			parts = append(parts, "(?, ?)")
			args = append(args, sequence, handler)
		}
	}
	if len(args) == 0 {
		return "0", nil
	}
	return "(r.sequence, ifnull(b.name, h.name)) IN (VALUES " + strings.Join(parts[1:], ", ") + ")", args
}

// Joined implements [store.Runs].
func (r *Reader) Joined(ctx context.Context, h store.HandlerID, sequence int64) ([]int64, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT sequence FROM runs WHERE handler = ? AND joined = ? ORDER BY sequence`, int64(h), sequence)
	if err != nil {
		return nil, fmt.Errorf("read joined runs: %w", conn.Translate(err))
	}
	defer rows.Close()
	var joined []int64
	for rows.Next() {
		var other int64
		if err := rows.Scan(&other); err != nil {
			return nil, conn.Translate(err)
		}
		joined = append(joined, other)
	}
	return joined, conn.Translate(rows.Err())
}
