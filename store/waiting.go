package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"evrun/events"
)

// WaitingQuery selects events that a handler has yet to handle. The zero values are no bounds.
type WaitingQuery struct {
	After, Before int64   // only sequences between these; 0: no bound
	Sequences     []int64 // not nil: only these
	Newest        bool    // the newest first, instead of the oldest
	Limit         int     // the maximum number; 0: 1,000

	// As in [EventQuery].

	Types        []events.Pattern
	Source       string
	Since, Until time.Time
	Chain        int64
	Holding      [][]string
}

// WaitingSource is the part of a [Store] that waiting runs are read from.
type WaitingSource interface {
	ID() string
	Events(ctx context.Context, q EventQuery) ([]*events.Event, error)
	Handlers(ctx context.Context, names ...string) ([]Consumer, error)
}

// WaitingRuns returns the events that a handler has yet to handle, as runs in state [Waiting]: those after its mark that match its patterns, are not for
// other handlers alone, and have no run. There are none of a handler that was forgotten, or whose patterns are not known.
func WaitingRuns(ctx context.Context, s WaitingSource, c Consumer, q WaitingQuery) ([]Run, error) {
	if c.State == Forgotten || len(c.On) == 0 {
		return nil, nil
	}
	evs, err := q.events(ctx, s, &c)
	if err != nil {
		return nil, fmt.Errorf("read the runs that wait for handler %s: %w", c.Name, err)
	}
	runs := make([]Run, len(evs))
	for i, e := range evs {
		runs[i] = Run{
			ID: RunID(e.Sequence, c.Name, s.ID()), Handler: c.Name, HandlerID: c.ID, EventID: e.ID, Sequence: e.Sequence, Chain: e.Chain, Type: e.Type,
			State: Waiting,
		}
		switch {
		case c.State == Left:
			runs[i].Reason = "waits for its handler, which is not in the wiring file"
		case !c.Disabled.IsZero():
			runs[i].Reason = "waits for its handler, which is disabled in the wiring file"
		case c.Paused:
			runs[i].Reason = "waits for its handler, which is paused"
		}
	}
	return runs, nil
}

// events reads the events of the query, in its order. The handler's patterns are the store's to look for, the query's own are checked here.
func (q *WaitingQuery) events(ctx context.Context, s WaitingSource, c *Consumer) (evs []*events.Event, err error) {
	eq := EventQuery{
		After: max(c.LowWater, q.After), Before: q.Before, Patterns: c.On, WithoutRun: c.ID, TakenBy: c, Sequences: q.Sequences, Last: q.Newest,
		Limit: q.Limit, Source: q.Source, Since: q.Since, Until: q.Until, Chain: q.Chain, Holding: q.Holding,
	}
	for {
		page, err := s.Events(ctx, eq)
		if err != nil || len(page) == 0 {
			return evs, err
		}
		if q.Newest {
			slices.Reverse(page)
		}
		for _, e := range page {
			if events.Selects(q.Types, e.Type) {
				if evs = append(evs, e); len(evs) == q.Limit {
					return evs, nil
				}
			}
		}
		if len(q.Types) == 0 {
			return evs, nil
		}
		if last := page[len(page)-1].Sequence; q.Newest {
			eq.Before = last
		} else {
			eq.After = last
		}
	}
}

// FindWaiting returns the waiting run with this id, or [ErrNotFound].
func FindWaiting(ctx context.Context, s WaitingSource, id string) (Run, error) {
	sequence, name, storeID, err := ParseRunID(id)
	if err != nil {
		return Run{}, err
	}
	notFound := fmt.Errorf("run %q: %w", id, ErrNotFound)
	if storeID != s.ID() {
		return Run{}, notFound
	}
	known, err := s.Handlers(ctx, name)
	if err != nil || len(known) == 0 {
		return Run{}, errors.Join(err, notFound)
	}
	runs, err := WaitingRuns(ctx, s, known[0], WaitingQuery{Sequences: []int64{sequence}})
	if err != nil {
		return Run{}, err
	}
	if len(runs) == 0 {
		return Run{}, notFound
	}
	return runs[0], nil
}
