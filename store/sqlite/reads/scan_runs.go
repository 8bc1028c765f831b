package reads

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

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
	q.Patterns = narrowing(q.Patterns)
	filter, err := r.runFilter(&q)
	if err != nil {
		return part, err
	}
	direct := indexed(&q) || len(filter.text) == 0 // every run is wanted
	states, some := statesOf(&q)
	newest := !q.Oldest
	all, err := r.within(ctx, q.After, q.Before, q.Since, q.Until, !direct)
	if err == nil {
		err = r.afterRun(ctx, &q, &all, &filter)
	}
	if err != nil || all.empty() || !some {
		part.End = true
		return part, err
	}
	limit, full := orDefault(q.Limit, 1000), false
	read := func(place condition) (bool, error) {
		order := "DESC"
		if q.Oldest {
			order = "ASC"
		}
		place.add(strings.Join(append([]string{"1"}, filter.text...), " AND "), filter.args...)
		failed := failedAttempts
		if q.Bare {
			failed = `0`
		}
		found, err := r.queryRunsOf(ctx, q.Patterns, limit-len(part.Items), failed, place.where()+` ORDER BY r.sequence `+order+`, r.handler`, place.args...)
		part.Items = append(part.Items, found...)
		return len(part.Items) == limit, err
	}
	part.Looked, part.Reached, full, err = r.lookAt(ctx, &q, states, direct, all, look, read)
	if direct {
		part.Looked = len(part.Items)
	}
	if err != nil {
		return part, err
	}
	if full {
		part.Reached = part.Items[len(part.Items)-1].Sequence
		part.Looked = max(part.Looked, len(part.Items))
	}
	if !direct {
		part.Passed, part.Left = all.progress(part.Reached, newest)
	}
	part.End = !full && part.Reached == all.end(newest)
	return part, nil
}

// lookAt has read look at the runs of a span, in parts of which each has a condition on r, until about look sequences are looked at, or read says that
// its page is full. With direct, it is one part. The results are as in through.
func (r *Reader) lookAt(ctx context.Context, q *store.RunQuery, states []store.RunState, direct bool, all span, look int,
	read func(place condition) (full bool, err error)) (looked int, reached int64, full bool, err error) {
	newest := !q.Oldest
	within := func(in span) (bool, error) {
		place := condition{}
		if place.add("r.sequence >= ?", in.low); in.high < math.MaxInt64 {
			place.add("r.sequence <= ?", in.high)
		}
		return read(place)
	}
	switch {
	case direct:
		full, err := within(all)
		return 0, all.end(newest), full, err
	case len(states) > 0 && !slices.ContainsFunc(states, bulky):
		return r.listed(ctx, q.Handler, states, all, look, newest, func(sequences string) (bool, error) {
			place := condition{}
			place.add("r.sequence IN (SELECT value FROM json_each(?))", sequences)
			return read(place)
		})
	}
	s, err := r.runSieve(ctx, q, states)
	if err != nil {
		return 0, 0, false, err
	}
	return r.through(ctx, s, all, look, newest, within)
}

// indexed reports whether an index has the runs of a query.
func indexed(q *store.RunQuery) bool {
	return q.ID != "" || len(q.IDs) > 0 || q.Sequence != 0 || q.Chain != 0
}

// statesOf returns the states of a query's runs; none: any. some is false if there can be no run.
func statesOf(q *store.RunQuery) (states []store.RunState, some bool) {
	states = slices.DeleteFunc(slices.Clone(q.States), func(state store.RunState) bool { return state == store.Waiting })
	if q.State != 0 {
		if len(q.States) > 0 && !slices.Contains(q.States, q.State) {
			return nil, false
		}
		states = []store.RunState{q.State}
	}
	return states, len(states) > 0 || len(q.States) == 0
}

// bulky reports whether most runs may be in a state. Runs in other states are in an index.
func bulky(state store.RunState) bool { return schema.RunBucket(state) != 0 }

// runSieve returns the sieve of a query of runs.
func (r *Reader) runSieve(ctx context.Context, q *store.RunQuery, states []store.RunState) (s sieve, err error) {
	if s, err = r.sieveOf(ctx, q.Patterns, q.Source); err != nil || q.Handler == "" && len(states) == 0 {
		return s, err
	}
	handlers, err := r.handlerIDs(ctx, q.Handler)
	if len(handlers) == 0 {
		handlers = []int64{0} // which has no runs
	}
	s.add(runKeys(handlers, states))
	return s, err
}

// handlerIDs returns the number of a handler; empty: of all.
func (r *Reader) handlerIDs(ctx context.Context, name string) (ids []int64, err error) {
	rows, err := r.db.QueryContext(ctx, `SELECT id FROM handlers WHERE ?1 = '' OR name = ?1 ORDER BY id`, name)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, conn.Translate(err)
		}
		ids = append(ids, id)
	}
	return ids, conn.Translate(rows.Err())
}

// The bounds of one query of listed.
const (
	listedRuns = 1024
	listedArms = 200 // a handler in a state
)

// listed finds runs in states that indexes have in order: per handler and state. read gets the sequences of the next ones, a JSON list. The rest is as
// in through.
func (r *Reader) listed(ctx context.Context, handler string, states []store.RunState, all span, look int, newest bool,
	read func(sequences string) (full bool, err error)) (looked int, reached int64, full bool, err error) {
	handlers, err := r.handlerIDs(ctx, handler)
	if err != nil {
		return 0, 0, false, err
	}
	for rest := all; ; {
		sequences, err := r.listedSequences(ctx, handlers, states, rest, newest)
		if err != nil {
			return looked, 0, false, err
		}
		if len(sequences) > 0 {
			text, err := events.MarshalJSON(sequences)
			if err != nil {
				return looked, 0, false, err
			}
			if full, err := read(string(text)); err != nil || full {
				return looked, 0, full, err
			}
		}
		if looked += len(sequences); len(sequences) < listedRuns {
			return looked, all.end(newest), false, nil
		}
		reached = sequences[listedRuns-1]
		if rest = rest.behind(span{reached, reached}, newest); rest.empty() || looked >= look {
			return looked, reached, false, nil
		}
	}
}

// listedSequences returns the first sequences of such runs in a span.
func (r *Reader) listedSequences(ctx context.Context, handlers []int64, states []store.RunState, in span, newest bool) (first []int64, err error) {
	order := "ASC"
	if newest {
		order = "DESC"
	}
	var arms []string
	for _, h := range handlers {
		for _, state := range states {
			where := fmt.Sprintf(`runs INDEXED BY runs_listed WHERE handler = %d AND state = %d AND (state = 2 OR state > 4)`, h, state)
			if state == store.Running { // its next_attempt_at is NULL
				where = fmt.Sprintf(`runs INDEXED BY runs_pending WHERE handler = %d AND state = 1 AND state <= 2 AND next_attempt_at IS NULL`, h)
			}
			arms = append(arms, fmt.Sprintf(`SELECT sequence FROM (SELECT sequence FROM %s AND sequence BETWEEN %d AND %d ORDER BY sequence %s LIMIT %d)`,
				where, in.low, in.high, order, listedRuns))
		}
	}
	for some := range slices.Chunk(arms, listedArms) {
		rows, err := r.db.QueryContext(ctx, strings.Join(some, ` UNION ALL `))
		if err != nil {
			return nil, conn.Translate(err)
		}
		for rows.Next() {
			var sequence int64
			if err := rows.Scan(&sequence); err != nil {
				rows.Close()
				return nil, conn.Translate(err)
			}
			first = append(first, sequence)
		}
		err = rows.Err()
		if rows.Close(); err != nil {
			return nil, conn.Translate(err)
		}
	}
	if slices.Sort(first); newest {
		slices.Reverse(first)
	}
	first = slices.Compact(first)
	return first[:min(len(first), listedRuns)], nil
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
		c.add(columns.InStates(q.States))
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
