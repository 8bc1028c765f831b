package batches

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
	"evrun/tasks/search"
)

// waitingCursor begins the cursors of the part of a selection that waits: it has no rows, and comes behind all runs that have, one handler after the
// other.
const waitingCursor = "waiting:"

// runs reads a page of runs, with those that wait if their state is selected.
func runs(ctx context.Context, s store.Store, q search.Query) (Page, error) {
	at, behind := strings.CutPrefix(q.After, waitingCursor)
	waits := slices.Contains(q.States, store.Waiting)
	if q.States = slices.DeleteFunc(slices.Clone(q.States), func(state store.RunState) bool { return state == store.Waiting }); behind || waits && len(q.States) == 0 {
		return waitingRuns(ctx, s, q, at)
	}
	found, err := search.Runs(ctx, s, q)
	page := Page{Runs: found.Items, Next: found.Next, Failed: found.Failed, Failure: found.Failure}
	if page.Next == "" && waits {
		page.Next = waitingCursor
	}
	return page, err
}

// waitingRuns reads a page of the runs that wait for one handler, behind a handler and a sequence.
func waitingRuns(ctx context.Context, s store.Store, q search.Query, at string) (page Page, err error) {
	var id store.HandlerID
	var after int64
	if at != "" {
		if _, err := fmt.Sscanf(at, "%d-%d", &id, &after); err != nil {
			return page, fmt.Errorf("%q: %w", at, search.ErrCursor)
		}
	}
	var names []string
	if q.Handler != "" {
		names = []string{q.Handler}
	}
	handlers, err := s.Handlers(ctx, names...)
	if err != nil {
		return page, err
	}
	slices.SortFunc(handlers, func(a, b store.Consumer) int { return int(a.ID - b.ID) })
	for _, c := range handlers {
		if c.ID < id {
			continue
		}
		w := store.WaitingQuery{Before: q.Before, Limit: q.Limit}
		if c.ID == id {
			w.After = after
		}
		if q.Event != 0 {
			w.Sequences = []int64{q.Event}
		}
		found, err := store.WaitingRuns(ctx, s, c, w)
		if err != nil {
			return page, err
		}
		if len(found) == 0 {
			continue
		}
		looked, err := page.choose(ctx, s, &q, found)
		page.Next = fmt.Sprintf("%s%d-%d", waitingCursor, c.ID, found[looked-1].Sequence)
		return page, err
	}
	return page, nil
}

// choose adds the waiting runs whose events the query selects. It returns how many it has looked at, at least one: a condition may take long.
func (p *Page) choose(ctx context.Context, s store.Store, q *search.Query, found []store.Run) (looked int, err error) {
	sequences := make([]int64, len(found))
	for i := range found {
		sequences[i] = found[i].Sequence
	}
	of := map[int64]*events.Event{}
	eq := store.EventQuery{Sequences: sequences, Patterns: q.Types, Source: q.Source, Since: q.Since, Until: q.Until, Chain: q.Chain}
	for {
		list, err := s.Events(ctx, eq)
		if err != nil {
			return len(found), err
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			of[e.Sequence] = e
		}
		eq.After = list[len(list)-1].Sequence
	}
	for until := time.Now().Add(search.StepTime); looked < len(found) && (looked == 0 || time.Now().Before(until)); looked++ {
		r := found[looked]
		e := of[r.Sequence]
		if e == nil {
			continue
		}
		if q.Where != nil {
			env := expression.NewEnv(e)
			env.SetRun(expression.Run{ID: r.ID, Handler: r.Handler, State: r.State.String()})
			ok, err := q.Where.Bool(env)
			if err != nil {
				if p.Failed++; p.Failure == nil {
					p.Failure = err
				}
			}
			if !ok {
				continue
			}
		}
		p.Runs = append(p.Runs, r)
	}
	return looked, nil
}
