package search

import (
	"cmp"
	"context"
	"slices"

	"evrun/store"
)

// scanRuns is a step of a search of runs, with waiting ones if the query asks for these. A waiting run has no row: it is an event that a handler has
// yet to handle, and they are few in the long run. So each step reads the first of each handler, and merges them with the rows.
func scanRuns(ctx context.Context, s Source, q store.RunQuery, look int) (store.Part[store.Run], error) {
	part, err := s.ScanRuns(ctx, q, look) // none, if only waiting ones are asked for
	if err != nil || !slices.Contains(q.States, store.Waiting) {
		return part, err
	}
	waiting, err := waitingRuns(ctx, s, &q)
	if err != nil {
		return part, err
	}
	full := len(part.Items) == q.Limit
	items := append(part.Items, waiting...)
	slices.SortFunc(items, func(a, b store.Run) int { return inOrder(&q, a.Sequence, a.HandlerID, b.Sequence, b.HandlerID) })
	if !part.End && !full { // the rows behind are not known yet
		items = slices.DeleteFunc(items, func(r store.Run) bool { return inOrder(&q, r.Sequence, 0, part.Reached, 0) > 0 })
	}
	if len(items) >= q.Limit {
		items, part.End = items[:q.Limit], false
		part.Reached = items[q.Limit-1].Sequence
	}
	part.Looked += len(waiting)
	part.Items = items
	return part, nil
}

// inOrder compares the places of two runs in the query's order.
func inOrder(q *store.RunQuery, a int64, aHandler store.HandlerID, b int64, bHandler store.HandlerID) int {
	events := cmp.Compare(b, a)
	if q.Oldest {
		events = -events
	}
	return cmp.Or(events, cmp.Compare(aHandler, bHandler))
}

// waitingRuns returns the first waiting runs of each handler, at most the query's Limit of each.
func waitingRuns(ctx context.Context, s Source, q *store.RunQuery) (all []store.Run, err error) {
	handlers, err := s.Handlers(ctx)
	if err != nil {
		return nil, err
	}
	w := store.WaitingQuery{After: q.After, Before: q.Before, Newest: !q.Oldest, Limit: q.Limit, Types: q.Patterns, Source: q.Source,
		Since: q.Since, Until: q.Until, Chain: q.Chain, Holding: q.Holding}
	if q.Sequence != 0 {
		w.Sequences = []int64{q.Sequence}
	}
	for _, id := range q.IDs {
		sequence, _, _, err := store.ParseRunID(id)
		if err != nil {
			return nil, err
		}
		if q.Sequence == 0 {
			w.Sequences = append(w.Sequences, sequence)
		}
	}
	after, handler := int64(0), store.HandlerID(0)
	if q.AfterID != "" {
		sequence, name, _, err := store.ParseRunID(q.AfterID)
		if err != nil {
			return nil, err
		}
		after = sequence
		if i := slices.IndexFunc(handlers, func(c store.Consumer) bool { return c.Name == name }); i >= 0 {
			handler = handlers[i].ID
		}
		if q.Oldest {
			w.After = max(w.After, sequence-1)
		} else if w.Before == 0 || sequence+1 < w.Before {
			w.Before = sequence + 1
		}
		w.Limit++ // one may be before the place
	}
	for _, c := range handlers {
		if q.Handler != "" && c.Name != q.Handler {
			continue
		}
		runs, err := store.WaitingRuns(ctx, s, c, w)
		if err != nil {
			return nil, err
		}
		if len(q.IDs) > 0 {
			runs = slices.DeleteFunc(runs, func(r store.Run) bool { return !slices.Contains(q.IDs, r.ID) })
		}
		if after > 0 {
			runs = slices.DeleteFunc(runs, func(r store.Run) bool { return inOrder(q, r.Sequence, r.HandlerID, after, handler) <= 0 })
		}
		all = append(all, runs...)
	}
	return all, nil
}
