package reads

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

const runColumns = `r.sequence, r.handler, h.name, r.state, r.attempt, r.budget, r.started_at, r.finished_at, r.next_attempt_at, r.error,
	CASE WHEN r.state = 1 AND r.reason IS NOT NULL THEN '` + store.Being + `' || r.reason
		WHEN r.state = 3 AND r.reason IS NOT NULL THEN 'it had succeeded before it could be ' || r.reason
		WHEN r.state <= 2 AND h.active = 0 THEN 'waits for its handler, which is not in the wiring file'
		WHEN r.state <= 2 AND h.paused = 1 THEN 'waits for its handler, which is paused'
		WHEN r.state <= 2 AND h.disabled_at IS NOT NULL THEN 'waits for its handler, which is disabled in the wiring file'
		WHEN r.state = 1 AND r.budget >= r.attempt THEN 'claimed; its attempt may not have begun' ELSE r.reason END,
	r.state = 1 AND r.reason IS NOT NULL, r.joined, CASE WHEN r.state = 4 AND r.joined IS NULL THEN (SELECT text FROM conditions WHERE id = r.condition) END,
	b.name, e.id, e.type, ifnull(e.chain, e.sequence)`

const runTables = ` FROM runs r JOIN handlers h ON h.id = r.handler LEFT JOIN handlers b ON b.id = r.began_as
	LEFT JOIN events e ON e.sequence = r.sequence `

// hasID is a condition on r: the run of an event that began under a handler's name, as in a run's id.
const hasID = `r.sequence = ? AND ifnull(r.began_as, r.handler) = (SELECT id FROM handlers WHERE name = ?)`

// failedAttempts counts a run's failed attempts. The runs that the engine reads do without.
const failedAttempts = `CASE WHEN r.attempt > 1 OR r.state NOT IN (3, 4) THEN
	(SELECT count(*) FROM attempts a WHERE a.sequence = r.sequence AND a.handler = r.handler) ELSE 0 END`

// queryRuns reads runs for the engine; tail is the SQL from WHERE on.
func (r *Reader) queryRuns(ctx context.Context, tail string, args ...any) ([]store.Run, error) {
	return r.queryRunsOf(ctx, nil, math.MaxInt, `0`, tail, args...)
}

// queryRunsOf reads at most limit runs on events of types that match one of the patterns; none: of all. failed is the SQL for the number of failed
// attempts.
func (r *Reader) queryRunsOf(ctx context.Context, patterns []events.Pattern, limit int, failed, tail string, args ...any) ([]store.Run, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT `+runColumns+`, `+failed+runTables+tail, args...)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	var runs []store.Run
	for len(runs) < limit && rows.Next() {
		var (
			run                           store.Run
			started                       int64
			finished, next, joined, chain sql.NullInt64
			beganAs, reason               sql.NullString
			text, when, id, typ           sql.NullString
		)
		if err := rows.Scan(&run.Sequence, &run.HandlerID, &run.Handler, &run.State, &run.Attempt, &run.Budget, &started, &finished, &next, &text,
			&reason, &run.Cancelling, &joined, &when, &beganAs, &id, &typ, &chain, &run.Failed); err != nil {
			return nil, conn.Translate(err)
		}
		if run.ID = store.RunID(run.Sequence, run.Handler, r.id); beganAs.Valid {
			run.ID = store.RunID(run.Sequence, beganAs.String, r.id)
		}
		run.Joined, run.Chain = joined.Int64, chain.Int64
		run.EventID, run.Type, run.Error, run.Reason = id.String, typ.String, text.String, reason.String
		run.When = when.String
		if run.Attempt > 0 {
			run.StartedAt = schema.Time(started)
		}
		if finished.Valid {
			run.FinishedAt = schema.Time(finished.Int64)
		}
		if next.Valid {
			run.NextAttemptAt = schema.Time(next.Int64)
		}
		if events.Selects(patterns, run.Type) { // SQL filters the types as far as GLOB can
			runs = append(runs, run)
		}
	}
	return runs, conn.Translate(rows.Err())
}

// Pending implements [store.Runs]. Running ones come first: their next_attempt_at is NULL.
func (r *Reader) Pending(ctx context.Context, h store.HandlerID, slots store.Slots, limit int) ([]store.Run, error) {
	return r.queryRuns(ctx, `WHERE r.handler = ?1 AND r.state <= 2 AND ?2 >> (r.sequence & 63) & 1 ORDER BY r.next_attempt_at, r.sequence LIMIT ?3`,
		int64(h), int64(slots), limit)
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
			SELECT id, 0, 0, (SELECT count(*) FROM runs INDEXED BY runs_listed WHERE handler = id AND state = 5 AND (state = 2 OR state > 4)) AS dead
			FROM handlers WHERE dead > 0
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
	runs, err := r.queryRunsOf(ctx, nil, 1, failedAttempts, `WHERE `+hasID, sequence, handler)
	if err != nil {
		return store.Run{}, err
	}
	if len(runs) == 0 || storeID != r.id {
		return store.Run{}, fmt.Errorf("run %q: %w", id, store.ErrNotFound)
	}
	return runs[0], nil
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
