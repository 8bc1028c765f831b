package reads

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"time"

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
		if matches(patterns, run.Type) { // SQL filters the types as far as GLOB can
			runs = append(runs, run)
		}
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
	runs, err := r.queryRunsOf(ctx, nil, 1, failedAttempts, `WHERE `+hasID, sequence, handler)
	if err != nil {
		return store.Run{}, err
	}
	if len(runs) == 0 || storeID != r.id {
		return store.Run{}, fmt.Errorf("run %q: %w", id, store.ErrNotFound)
	}
	return runs[0], nil
}

// Runs implements [store.Runs].
func (r *Reader) Runs(ctx context.Context, q store.RunQuery) (found []store.Run, err error) {
	limit := orDefault(q.Limit, max(1000, len(q.IDs)))
	for len(found) < limit {
		q.Limit = limit - len(found)
		part, err := r.ScanRuns(ctx, q, runsStep)
		if err != nil {
			return nil, err
		}
		if found = append(found, part.Items...); part.End || len(part.Items) == q.Limit {
			break
		}
		q.Since, q.Until = time.Time{}, time.Time{} // they are behind
		if q.AfterID = ""; q.Oldest {
			q.After = part.Reached
		} else {
			q.Before = part.Reached
		}
	}
	return found, nil
}

// runsStep is how many sequences Runs looks at in one query.
const runsStep = 1 << 16

// ScanRuns implements [store.Runs].
func (r *Reader) ScanRuns(ctx context.Context, q store.RunQuery, look int) (part store.Part[store.Run], err error) {
	filter, err := r.runFilter(&q)
	if err != nil {
		return part, err
	}
	// An index has these runs, or every run is wanted.
	direct := q.ID != "" || len(q.IDs) > 0 || q.Sequence != 0 || q.Chain != 0 || len(filter.text) == 0 || onlyState(&q, store.Dead) || onlyState(&q, store.Dropped)
	all, err := r.within(ctx, q.After, q.Before, q.Since, q.Until, !direct)
	if err == nil {
		err = r.afterRun(ctx, &q, &all, &filter)
	}
	if err != nil || all.empty() {
		part.End = err == nil
		return part, err
	}
	in := all
	if !direct {
		in = all.step(look, !q.Oldest)
	}
	filter.add("r.sequence >= ?", in.low)
	if in.high < math.MaxInt64 {
		filter.add("r.sequence <= ?", in.high)
	}
	order := "DESC"
	if q.Oldest {
		order = "ASC"
	}
	limit := orDefault(q.Limit, 1000)
	part.Items, err = r.queryRunsOf(ctx, q.Patterns, limit, failedAttempts, filter.where()+` ORDER BY r.sequence `+order+`, r.handler`, filter.args...)
	if err != nil {
		return part, err
	}
	full := len(part.Items) == limit
	part.Reached, part.End = in.end(!q.Oldest), in == all && !full
	if full {
		part.Reached = part.Items[limit-1].Sequence
	}
	if part.Looked = len(part.Items); !direct {
		part.Passed, part.Left = all.progress(part.Reached, !q.Oldest)
		part.Looked = int(part.Passed)
	}
	return part, nil
}

func onlyState(q *store.RunQuery, state store.RunState) bool {
	return q.State == state || len(q.States) == 1 && q.States[0] == state
}

// afterRun leaves out what is not behind the run q.AfterID.
func (r *Reader) afterRun(ctx context.Context, q *store.RunQuery, all *span, filter *condition) error {
	if q.AfterID == "" {
		return nil
	}
	sequence, handler, _, err := store.ParseRunID(q.AfterID)
	if err != nil {
		return err
	}
	less := "<"
	if q.Oldest {
		less, all.low = ">", max(all.low, sequence)
	} else {
		all.high = min(all.high, sequence)
	}
	// The run's present handler, which may differ from the one in its id; if the run was deleted, the handler of that name.
	filter.add(`(r.sequence `+less+` ? OR r.handler > ifnull((SELECT r.handler FROM runs r WHERE `+hasID+`), (SELECT id FROM handlers WHERE name = ?)))`,
		sequence, sequence, handler, handler)
	return nil
}

// runFilter returns the conditions on r, h and e that are not about its place in the journal.
func (r *Reader) runFilter(q *store.RunQuery) (c condition, err error) {
	if q.ID != "" {
		sequence, handler, storeID, err := store.ParseRunID(q.ID)
		if err != nil {
			return c, err
		}
		if storeID != r.id {
			return c, fmt.Errorf("run %q: %w", q.ID, store.ErrNotFound)
		}
		c.add(hasID, sequence, handler)
	}
	if len(q.IDs) > 0 {
		r.hasIDs(&c, q.IDs)
	}
	if q.Handler != "" {
		c.add("h.name = ?", q.Handler)
	}
	if q.State != 0 {
		// A literal, not a parameter: only then SQLite uses the partial indexes.
		c.add(fmt.Sprintf("r.state = %d", q.State))
	}
	if len(q.States) > 0 {
		c.add(schema.InStates(q.States))
	}
	if q.Sequence != 0 {
		c.add("r.sequence = ?", q.Sequence)
	}
	ofEvent(&c, q.Patterns, q.Source, q.Chain, q.Holding)
	return c, nil
}

// hasIDs adds the condition that r is one of the runs with these ids. An id that no run of this store can have matches none.
func (r *Reader) hasIDs(c *condition, ids []string) {
	var sequences, names []any
	for _, id := range ids {
		sequence, handler, storeID, err := store.ParseRunID(id)
		if err == nil && storeID == r.id {
			sequences, names = append(sequences, sequence), append(names, sequence, handler)
		}
	}
	if len(names) == 0 {
		c.add("0")
		return
	}
	c.add("r.sequence IN (?"+strings.Repeat(", ?", len(sequences)-1)+")", sequences...) // which the primary key finds
	c.add("(r.sequence, ifnull(b.name, h.name)) IN (VALUES (?, ?)"+strings.Repeat(", (?, ?)", len(sequences)-1)+")", names...)
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
