package store

import (
	"context"
	"slices"
)

// Among completes the states of a query: these, if it names none.
func (q *RunQuery) Among(states ...RunState) {
	if q.State != 0 {
		q.States, q.State = []RunState{q.State}, 0
	}
	if len(q.States) == 0 {
		q.States = states
	}
}

// RunSource is the part of a [Store] that a [Change] reads its runs from.
type RunSource interface {
	WaitingSource
	Runs(ctx context.Context, q RunQuery) ([]Run, error)
}

// SelectRuns reads the runs of a query in States, with waiting ones if it names their ids, or their handler and the state.
func SelectRuns(ctx context.Context, s RunSource, q RunQuery) (runs []Run, err error) {
	rows := q
	if rows.States = q.Stored(); len(rows.States) > 0 {
		if runs, err = s.Runs(ctx, rows); err != nil {
			return nil, err
		}
	}
	if !slices.Contains(q.States, Waiting) {
		return runs, nil
	}
	names, w := map[string][]int64{}, WaitingQuery{Before: q.Before, Newest: !q.Oldest, Limit: q.Limit}
	switch ids := q.IDs; {
	case q.ID != "":
		ids = []string{q.ID}
		fallthrough
	case len(ids) > 0:
		w.Limit = len(ids)
		for _, id := range ids {
			sequence, name, storeID, err := ParseRunID(id)
			if err == nil && storeID == s.ID() {
				names[name] = append(names[name], sequence)
			}
		}
	case q.Handler != "":
		if names[q.Handler] = nil; q.Sequence != 0 {
			names[q.Handler] = []int64{q.Sequence}
		}
	}
	for name, sequences := range names {
		known, err := s.Handlers(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, c := range known {
			w.Sequences = sequences
			more, err := WaitingRuns(ctx, s, c, w)
			if err != nil {
				return nil, err
			}
			runs = append(runs, more...)
		}
	}
	return runs, nil
}
