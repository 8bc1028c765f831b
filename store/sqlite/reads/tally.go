package reads

import (
	"context"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
)

// TallyRuns implements [store.Runs].
func (r *Reader) TallyRuns(ctx context.Context, q store.RunQuery, look int) (part store.Part[store.RunTally], err error) {
	q.Patterns, q.AfterID = narrowing(q.Patterns), ""
	filter, err := r.runFilter(&q)
	if err != nil {
		return part, err
	}
	states, some := statesOf(&q)
	all, err := r.within(ctx, q.After, q.Before, q.Since, q.Until, true)
	if err != nil || all.empty() || !some {
		part.End = true
		return part, err
	}
	read := func(place condition) (bool, error) {
		place.text = append(place.text, filter.text...)
		place.args = append(place.args, filter.args...)
		found, err := r.tally(ctx, q.Patterns, place)
		part.Items = append(part.Items, found...)
		return false, err
	}
	part.Looked, part.Reached, _, err = r.lookAt(ctx, &q, states, indexed(&q), all, look, read)
	if err != nil {
		return part, fmt.Errorf("count runs: %w", err)
	}
	part.Passed, part.Left = all.progress(part.Reached, !q.Oldest)
	part.End = part.Reached == all.end(!q.Oldest)
	return part, nil
}

// tally counts the runs of a part of the journal.
func (r *Reader) tally(ctx context.Context, patterns []events.Pattern, where condition) (found []store.RunTally, err error) {
	rows, err := r.db.QueryContext(ctx, `SELECT h.name, r.state, ifnull(e.type, ''), ifnull(r.error, ''), count(*), max(r.sequence)`+runTables+where.where()+
		` GROUP BY 1, 2, 3, 4`, where.args...)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var t store.RunTally
		if err := rows.Scan(&t.Handler, &t.State, &t.Type, &t.Error, &t.Count, &t.Newest); err != nil {
			return nil, conn.Translate(err)
		}
		if events.Selects(patterns, t.Type) { // SQL filters the types as far as GLOB can
			found = append(found, t)
		}
	}
	return found, conn.Translate(rows.Err())
}
