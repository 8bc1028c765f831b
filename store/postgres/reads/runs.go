package reads

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/schema"
)

const runColumns = `r.sequence, r.handler, h.name, r.state, r.attempt, r.budget, r.started_at, r.finished_at, r.next_attempt_at, coalesce(r.error, ''),
	coalesce(CASE WHEN r.state = 1 AND r.reason IS NOT NULL THEN '` + store.Being + `' || r.reason
		WHEN r.state = 3 AND r.reason IS NOT NULL THEN 'it had succeeded before it could be ' || r.reason
		WHEN r.state <= 2 AND NOT h.active THEN 'waits for its handler, which is not in the wiring file'
		WHEN r.state <= 2 AND h.paused THEN 'waits for its handler, which is paused'
		WHEN r.state <= 2 AND h.disabled_at IS NOT NULL THEN 'waits for its handler, which is disabled in the wiring file'
		WHEN r.state = 1 AND r.budget >= r.attempt THEN 'claimed; its attempt may not have begun' ELSE r.reason END, ''),
	r.state = 1 AND r.reason IS NOT NULL, coalesce(r.joined, 0),
	coalesce(CASE WHEN r.state = 4 AND r.joined IS NULL THEN (SELECT c.text FROM evrun.conditions c WHERE c.id = r.condition) END, ''),
	coalesce(b.name, h.name), coalesce(e.id, ''), coalesce(e.type, ''), coalesce(e.chain, e.sequence, 0)`

// failedAttempts counts a run's failed attempts. The runs that the engine reads do without.
const failedAttempts = `CASE WHEN r.attempt > 1 OR r.state NOT IN (3, 4) THEN
	(SELECT count(*) FROM evrun.attempts a WHERE a.sequence = r.sequence AND a.handler = r.handler) ELSE 0 END`

// hasID is a condition on r: the run of an event that began under a handler's name, as in a run's id.
const hasID = `r.sequence = ? AND coalesce(r.began_as, r.handler) = (SELECT h.id FROM evrun.handlers h WHERE h.name = ?)`

// runsFrom reads the runs that a query (SELECT r.* …) finds. failed is the SQL for the number of failed attempts, order that of the runs.
func (r *Reader) runsFrom(ctx context.Context, query, failed, order string, args ...any) ([]store.Run, error) {
	// The runs come first, and then what belongs to each: so the server doesn't read another table first.
	query, args = numbered(`SELECT `+runColumns+`, `+failed+` FROM (`+query+`) r JOIN evrun.handlers h ON h.id = r.handler
		LEFT JOIN evrun.handlers b ON b.id = r.began_as LEFT JOIN evrun.events e ON e.sequence = r.sequence ORDER BY `+order, args)
	return list(ctx, r, r.scanRun, query, args...)
}

func (r *Reader) scanRun(rows pgx.Rows) (run store.Run, err error) {
	var started int64
	var finished, next *int64
	var beganAs string
	if err := rows.Scan(&run.Sequence, &run.HandlerID, &run.Handler, &run.State, &run.Attempt, &run.Budget, &started, &finished, &next, &run.Error,
		&run.Reason, &run.Cancelling, &run.Joined, &run.When, &beganAs, &run.EventID, &run.Type, &run.Chain, &run.Failed); err != nil {
		return run, err
	}
	run.ID = store.RunID(run.Sequence, beganAs, r.id)
	if run.Attempt > 0 {
		run.StartedAt = schema.Time(started)
	}
	if finished != nil {
		run.FinishedAt = schema.Time(*finished)
	}
	if next != nil {
		run.NextAttemptAt = schema.Time(*next)
	}
	return run, nil
}

// Pending implements [store.Runs]. Running ones come first: they have no next attempt.
func (r *Reader) Pending(ctx context.Context, h store.HandlerID, slots store.Slots, limit int) ([]store.Run, error) {
	const order = `r.next_attempt_at NULLS FIRST, r.sequence`
	runs, err := r.runsFrom(ctx, `SELECT r.* FROM evrun.runs r WHERE r.handler = ? AND r.state <= 2 AND (?::bigint >> (r.sequence & 63)::int) & 1 = 1 ORDER BY `+order+` LIMIT ?`,
		`0`, order, int64(h), int64(slots), limit)
	if err != nil {
		return nil, fmt.Errorf("read pending runs: %w", err)
	}
	return runs, nil
}

// PendingAfter implements [store.Runs]. The handler's pending runs are sorted; otherwise the server might look for them among all later ones.
func (r *Reader) PendingAfter(ctx context.Context, h store.HandlerID, after int64, limit int) ([]store.Run, error) {
	runs, err := r.runsFrom(ctx, `SELECT r.* FROM (SELECT r.* FROM evrun.runs r WHERE r.handler = ? AND r.state <= 2 AND r.sequence > ? OFFSET 0) r ORDER BY r.sequence LIMIT ?`,
		`0`, `r.sequence`, int64(h), after, limit)
	if err != nil {
		return nil, fmt.Errorf("read pending runs: %w", err)
	}
	return runs, nil
}

// RunsOf returns the runs of a handler on some events, by sequence.
func (r *Reader) RunsOf(ctx context.Context, h store.HandlerID, sequences []int64) ([]store.Run, error) {
	return r.runsFrom(ctx, `SELECT r.* FROM evrun.runs r WHERE r.sequence = ANY(?) AND r.handler = ?`, `0`, `r.sequence`, sequences, int64(h))
}

// Counts implements [store.Runs]. Both parts read only a partial index of the runs in these states.
func (r *Reader) Counts(ctx context.Context) (map[string]store.Counts, error) {
	counts := map[string]store.Counts{}
	err := r.each(ctx, func(rows pgx.Rows) error {
		var name string
		var c store.Counts
		err := rows.Scan(&name, &c.Running, &c.Retrying, &c.Dead)
		counts[name] = c
		return err
	}, `SELECT h.name, coalesce(p.running, 0), coalesce(p.retrying, 0), d.dead FROM evrun.handlers h
		LEFT JOIN (SELECT r.handler, count(*) FILTER (WHERE r.next_attempt_at IS NULL) AS running, count(r.next_attempt_at) AS retrying
			FROM evrun.runs r WHERE r.state <= 2 GROUP BY r.handler) p ON p.handler = h.id,
		LATERAL (SELECT count(*) AS dead FROM evrun.runs r WHERE r.handler = h.id AND r.state = 5 AND (r.state = 2 OR r.state > 4)) d
		WHERE p.handler IS NOT NULL OR d.dead > 0`)
	if err != nil {
		return nil, fmt.Errorf("count runs: %w", err)
	}
	return counts, nil
}

// FindRun implements [store.Runs].
func (r *Reader) FindRun(ctx context.Context, id string) (store.Run, error) {
	sequence, handler, storeID, err := store.ParseRunID(id)
	if err != nil {
		return store.Run{}, err
	}
	runs, err := r.runsFrom(ctx, `SELECT r.* FROM evrun.runs r WHERE `+hasID, failedAttempts, `r.sequence`, sequence, handler)
	if err == nil && (len(runs) == 0 || storeID != r.id) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Run{}, fmt.Errorf("run %q: %w", id, err)
	}
	return runs[0], nil
}

// Joined implements [store.Runs].
func (r *Reader) Joined(ctx context.Context, h store.HandlerID, sequence int64) ([]int64, error) {
	joined, err := list(ctx, r, number, `SELECT r.sequence FROM evrun.runs r WHERE r.handler = $1 AND r.joined = $2 ORDER BY r.sequence`, int64(h), sequence)
	if err != nil {
		return nil, fmt.Errorf("read joined runs: %w", err)
	}
	return joined, nil
}
