package reads

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"evrun/store"
)

// TallyRuns implements [store.Runs].
func (r *Reader) TallyRuns(ctx context.Context, q store.RunQuery, look int) (part store.Part[store.RunTally], err error) {
	part, err = r.tallyRuns(ctx, q, look)
	if err != nil {
		return part, fmt.Errorf("count runs: %w", err)
	}
	return part, nil
}

func (r *Reader) tallyRuns(ctx context.Context, q store.RunQuery, look int) (part store.Part[store.RunTally], err error) {
	s, some, err := r.searchOf(ctx, &q, false)
	if err != nil || !some {
		part.End = true
		return part, err
	}
	newest := !q.Oldest
	read := func(at place) (bool, error) {
		query, args := s.runs(at)
		query, args = numbered(`SELECT h.name, r.state, coalesce(e.type, ''), coalesce(r.error, ''), count(*), max(r.sequence) FROM (`+query+`) r
			JOIN evrun.handlers h ON h.id = r.handler LEFT JOIN evrun.events e ON e.sequence = r.sequence GROUP BY 1, 2, 3, 4`, args)
		found, err := list(ctx, r, func(rows pgx.Rows) (t store.RunTally, err error) {
			return t, rows.Scan(&t.Handler, &t.State, &t.Type, &t.Error, &t.Count, &t.Newest)
		}, query, args...)
		part.Items = append(part.Items, found...)
		return false, err
	}
	if part.Looked, part.Reached, _, err = r.lookAt(ctx, s, look, newest, read); err != nil {
		return part, err
	}
	part.Passed, part.Left = s.all.progress(part.Reached, newest)
	part.End = part.Reached == s.all.end(newest)
	return part, nil
}
