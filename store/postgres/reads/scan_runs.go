package reads

import (
	"context"
	"fmt"
	"slices"
	"time"

	"evrun/store"
	"evrun/store/columns"
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
	part, err = r.scanRuns(ctx, q, look)
	if err != nil {
		return part, fmt.Errorf("read runs: %w", err)
	}
	return part, nil
}

func (r *Reader) scanRuns(ctx context.Context, q store.RunQuery, look int) (part store.Part[store.Run], err error) {
	s, some, err := r.searchOf(ctx, &q, true)
	if err != nil || !some {
		part.End = true
		return part, err
	}
	some, err = r.afterRun(ctx, &q, s)
	if err != nil || !some {
		part.End = true
		return part, err
	}
	newest := !q.Oldest
	limit, full := orDefault(q.Limit, 1000), false
	failed := failedAttempts
	if q.Bare {
		failed = `0`
	}
	by := `r.sequence ` + order(newest) + `, r.handler`
	read := func(at place) (bool, error) {
		query, args := s.runs(at)
		found, err := r.runsFrom(ctx, query+` ORDER BY `+by+` LIMIT ?`, failed, by, append(args, limit-len(part.Items))...)
		part.Items = append(part.Items, found...)
		return len(part.Items) == limit, err
	}
	if part.Looked, part.Reached, full, err = r.lookAt(ctx, s, look, newest, read); err != nil {
		return part, err
	}
	if s.direct {
		part.Looked = len(part.Items)
	}
	if full {
		part.Reached = part.Items[len(part.Items)-1].Sequence
		part.Looked = max(part.Looked, len(part.Items))
	}
	if !s.direct {
		part.Passed, part.Left = s.all.progress(part.Reached, newest)
	}
	part.End = !full && part.Reached == s.all.end(newest)
	return part, nil
}

// runSearch is a search of runs.
type runSearch struct {
	filter   condition // on r, not about its place in the journal
	ofEvent  condition // on e, likewise; without types
	types    types
	states   []store.RunState // none: any
	handlers []int64          // of the query's; all, if it has none
	all      span
	direct   bool // an index has the runs, or every run is wanted
}

// searchOf prepares a search. unbounded says that a search for every run may read them all in one part. some is false if there can be no run.
func (r *Reader) searchOf(ctx context.Context, q *store.RunQuery, unbounded bool) (s *runSearch, some bool, err error) {
	s = &runSearch{}
	if s.states, some = statesOf(q); !some {
		return s, false, nil
	}
	if s.handlers, err = r.handlerIDs(ctx, q.Handler); err != nil {
		return s, false, err
	}
	if some, err := r.runFilter(q, s); err != nil || !some {
		return s, false, err
	}
	indexed := q.ID != "" || len(q.IDs) > 0 || q.Sequence != 0 || q.Chain != 0
	s.direct = indexed || unbounded && len(s.filter.text)+len(s.ofEvent.text) == 0 && len(narrowing(q.Patterns)) == 0
	// The head comes first: of the events up to there, all types are known afterwards.
	if s.all, err = r.within(ctx, q.After, q.Before, q.Since, q.Until, !s.direct || !unbounded); err != nil || s.all.empty() {
		return s, false, err
	}
	s.types, err = r.typesOf(ctx, q.Patterns)
	return s, true, err
}

// lookAt has read look at the runs, in parts of the journal, until about look sequences are looked at, or read says that its page is full. The results
// are as in listed.
func (r *Reader) lookAt(ctx context.Context, s *runSearch, look int, newest bool, read func(at place) (full bool, err error)) (looked int, reached int64, full bool, err error) {
	switch {
	case s.direct:
		full, err = read(place{span: s.all})
		return 0, s.all.end(newest), full, err
	case len(s.states) > 0 && !slices.ContainsFunc(s.states, bulky):
		return r.listed(ctx, stateArms(s.handlers, s.states), s.all, look, newest, read)
	case s.types.known && !s.types.all:
		return r.listed(ctx, s.types.arms, s.all, look, newest, read)
	}
	in := s.all.step(look, newest)
	full, err = read(place{span: in})
	return in.size(), in.end(newest), full, err
}

// runs returns a query of the runs in a place.
func (s *runSearch) runs(at place) (query string, args []any) {
	var where condition
	at.add(&where, "r.sequence")
	where.addAll(s.filter)
	of := s.ofEvent
	of.addAll(s.types.condition())
	if len(of.text) > 0 { // a subquery for each run: as a join, the server might read the events first
		where.add(`(SELECT `+of.all()+` FROM evrun.events e WHERE e.sequence = r.sequence)`, of.args...)
	}
	return `SELECT r.* FROM evrun.runs r` + where.where(), where.args
}

// statesOf returns the states of a query's runs; none: any. some is false if there can be no run.
func statesOf(q *store.RunQuery) (states []store.RunState, some bool) {
	states = q.Stored()
	if q.State != 0 {
		if len(q.States) > 0 && !slices.Contains(q.States, q.State) {
			return nil, false
		}
		states = []store.RunState{q.State}
	}
	return states, len(states) > 0 || len(q.States) == 0
}

// handlerIDs returns the number of a handler; empty: of all.
func (r *Reader) handlerIDs(ctx context.Context, name string) ([]int64, error) {
	return list(ctx, r, number, `SELECT h.id FROM evrun.handlers h WHERE $1 = '' OR h.name = $1 ORDER BY h.id`, name)
}

// afterRun leaves out what is not behind the run q.AfterID; false: nothing is.
func (r *Reader) afterRun(ctx context.Context, q *store.RunQuery, s *runSearch) (some bool, err error) {
	if q.AfterID == "" {
		return true, nil
	}
	sequence, handler, _, err := store.ParseRunID(q.AfterID)
	if err != nil {
		return false, err
	}
	// The run's present handler, which may differ from the one in its id; if the run was deleted, the handler of that name.
	var after int64
	query, args := numbered(`SELECT coalesce((SELECT r.handler FROM evrun.runs r WHERE `+hasID+`), (SELECT h.id FROM evrun.handlers h WHERE h.name = ?), 0)`,
		[]any{sequence, handler, handler})
	if err := r.row(ctx, []any{&after}, query, args...); err != nil {
		return false, err
	}
	if q.Oldest {
		s.all.low = max(s.all.low, sequence)
	} else {
		s.all.high = min(s.all.high, sequence)
	}
	s.filter.add(`(r.sequence <> ? OR r.handler > ?)`, sequence, after)
	return !s.all.empty(), nil
}

// runFilter sets the search's filters. some is false if no run can match.
func (r *Reader) runFilter(q *store.RunQuery, s *runSearch) (some bool, err error) {
	c := &s.filter
	if q.ID != "" {
		sequence, handler, storeID, err := store.ParseRunID(q.ID)
		if err != nil {
			return false, err
		}
		if storeID != r.id {
			return false, fmt.Errorf("run %q: %w", q.ID, store.ErrNotFound)
		}
		c.add(hasID, sequence, handler)
	}
	if len(q.IDs) > 0 && !r.hasIDs(c, q.IDs) {
		return false, nil
	}
	if q.Handler != "" {
		if len(s.handlers) == 0 {
			return false, nil
		}
		c.add("r.handler = ?", s.handlers[0])
	}
	if len(s.states) > 0 {
		c.add(columns.InStates(s.states))
	}
	if q.Sequence != 0 {
		c.add("r.sequence = ?", q.Sequence)
	}
	if q.Chain != 0 {
		c.add("r.sequence = ANY(ARRAY(SELECT ?::bigint UNION ALL SELECT e.sequence FROM evrun.events e WHERE e.chain = ?))", q.Chain, q.Chain)
	}
	s.ofEvent.ofEvent(q.Source, q.Holding)
	return true, nil
}

// hasIDs adds the condition that r is one of the runs with these ids. An id that no run of this store can have matches none; false: so do all.
func (r *Reader) hasIDs(c *condition, ids []string) bool {
	var sequences []int64
	var names []string
	for _, id := range ids {
		sequence, handler, storeID, err := store.ParseRunID(id)
		if err == nil && storeID == r.id {
			sequences, names = append(sequences, sequence), append(names, handler)
		}
	}
	c.add("r.sequence = ANY(?)", sequences) // which the primary key finds
	c.add(`(r.sequence, coalesce(r.began_as, r.handler)) IN (SELECT i.sequence, h.id FROM unnest(?::bigint[], ?::text[]) i(sequence, name) JOIN evrun.handlers h ON h.name = i.name)`,
		sequences, names)
	return len(sequences) > 0
}
