// Package search selects events and runs: by their attributes, and by a condition on what an event says. Lists, batches, replays and the HTTP API all
// select with it.
//
// A page has a bounded cost. It ends at its limit, or when its step is used up: after about [StepTime], or when it looked at [StepRows] events or
// runs. So a page may have few items, or none, and yet not be the last one: only a page without Next is. Whoever wants all goes on:
//
//	q := search.Query{Types: patterns, Where: condition, Limit: 20}
//	for {
//		page, err := search.Events(ctx, s, q)
//		… page.Items, page.Progress …
//		if q.After = page.Next; q.After == "" {
//			break
//		}
//	}
//
// A cursor is the place in the journal where the next page begins. It stays valid when events or runs are added, change or are deleted, and after a
// restart: no item that is there all the time is missed or comes twice.
//
// Cost: the store's indexes answer what asks for types, handlers, states, sources, times and chains. A condition is evaluated for each event that is
// left. Where it can only be true of data that holds a text ([expression.Expr.Texts]), the store leaves out other events without decoding them.
package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
)

// Query selects events or runs; all set fields must match.
type Query struct {
	Types  []events.Pattern // the event's type matches one of these; none: any
	Source string           // the event's; empty: any
	// The event was accepted at or after Since, and before Until; zero: at any time. Acceptance is the order of the journal: where the clock was set
	// back, the journal decides.
	Since, Until time.Time
	Chain        int64            // the sequence of the first event of its chain; 0: any
	Event        int64            // the event's sequence; 0: any
	Before       int64            // the event's sequence is smaller; 0: no bound
	Where        *expression.Expr // is true of it; nil: always. Compile it for [expression.SelectEvents] or [expression.SelectRuns]
	// Keep, of events alone, reports whether an event can be selected at all; nil: each. Where is not evaluated for the others, so they are not in Failed.
	Keep func(*events.Event) bool

	IDs      []string         // of the runs; none: any
	Handler  string           // of the run; empty: any
	Handlers []string         // the run is of one of these; none: any
	States   []store.RunState // the run is in one of these; none: any

	Bare   bool   // the runs' Failed is not needed
	Oldest bool   // oldest event first, instead of newest first
	Limit  int    // of the page; 0: 100
	After  string // the cursor of the page before; empty: the first page
}

// The bounds of a page's step.
const (
	StepTime = 50 * time.Millisecond
	StepRows = 1 << 20
)

// Page is a part of a search's answer.
type Page[T any] struct {
	Items    []T
	Next     string  // the cursor of the next page; empty: this is the last one
	Scanned  int64   // how many events or runs were looked at, at most
	Progress float64 // how far the search came, with the pages before, from 0 to 1; 0 when an index answers it
	// Failed is how many items were left out because Where could not be evaluated; Failure is the first reason.
	Failed  int
	Failure error
}

// ErrCursor says that a cursor was not made by a search of this kind.
var ErrCursor = errors.New("not a cursor of such a list")

// Events returns a page of the selected events. Handler and States must not be set.
func Events(ctx context.Context, s store.Journal, q Query) (Page[*events.Event], error) {
	at, passed, err := q.place()
	if err != nil {
		return Page[*events.Event]{}, err
	}
	sq := store.EventQuery{Patterns: q.Types, Source: q.Source, Since: q.Since, Until: q.Until, Chain: q.Chain, Before: q.Before, Last: !q.Oldest}
	if q.Event != 0 {
		sq.Sequences = []int64{q.Event}
	}
	if err := moveEvents(&sq, at); err != nil {
		return Page[*events.Event]{}, err
	}
	if q.Where != nil {
		sq.Holding, sq.DataOnly = q.Where.Texts(), !q.Where.UsesEvent() && q.Keep == nil
	}
	w := walk[*events.Event]{
		q: &q, passed: passed, want: q.Keep,
		scan: func(limit, look int) (store.Part[*events.Event], error) {
			sq.Limit = limit
			return s.ScanEvents(ctx, sq, look)
		},
		move: func(to string) error { return moveEvents(&sq, to) },
		check: func(found []*events.Event) (func(int) (bool, error), error) {
			return func(i int) (bool, error) { return q.Where.Bool(expression.NewEnv(found[i])) }, nil
		},
		place: func(e *events.Event) string { return strconv.FormatInt(e.Sequence, 10) },
	}
	page, err := w.page()
	if err != nil || !sq.DataOnly || len(page.Items) == 0 {
		return page, err
	}
	page.Items, err = whole(ctx, s, page.Items, sq.Last)
	return page, err
}

// whole reads events of which only the data was read.
func whole(ctx context.Context, s store.Journal, found []*events.Event, newest bool) ([]*events.Event, error) {
	sequences := make([]int64, len(found))
	for i, e := range found {
		sequences[i] = e.Sequence
	}
	all, err := store.EventsOf(ctx, s, sequences)
	if newest {
		for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
			all[i], all[j] = all[j], all[i]
		}
	}
	return all, err
}

// moveEvents has a query begin at a place: after a sequence, in the query's order.
func moveEvents(sq *store.EventQuery, to string) error {
	if to == "" {
		return nil
	}
	sequence, err := strconv.ParseInt(to, 10, 64)
	switch {
	case err != nil || sequence < 0:
		return fmt.Errorf("%q: %w", to, ErrCursor)
	case !sq.Last:
		sq.After = max(sq.After, sequence)
	case sq.Before == 0 || sequence < sq.Before:
		sq.Before = max(sequence, 1)
	}
	return nil
}

// Source is what a search of runs reads.
type Source interface {
	store.Journal
	Handlers(ctx context.Context, names ...string) ([]store.Consumer, error)
	ScanRuns(ctx context.Context, q store.RunQuery, look int) (store.Part[store.Run], error)
}

// Runs returns a page of the selected runs, those of one event in the order of their handlers' numbers. Waiting ones are among them if States names that
// state.
func Runs(ctx context.Context, s Source, q Query) (Page[store.Run], error) {
	at, passed, err := q.place()
	if err != nil {
		return Page[store.Run]{}, err
	}
	sq := q.OfRuns()
	if err := moveRuns(&sq, at); err != nil {
		return Page[store.Run]{}, err
	}
	if q.Where != nil {
		sq.Holding = q.Where.Texts()
	}
	w := walk[store.Run]{
		q: &q, passed: passed,
		scan: func(limit, look int) (store.Part[store.Run], error) {
			sq.Limit = limit
			return scanRuns(ctx, s, sq, look)
		},
		move:  func(to string) error { return moveRuns(&sq, to) },
		want:  q.ofHandlers(),
		check: func(found []store.Run) (func(int) (bool, error), error) { return checkRuns(ctx, s, q.Where, found) },
		place: func(r store.Run) string { return r.ID },
	}
	return w.page()
}

// ofHandlers reports whether a run is of one of the Handlers; nil: each is.
func (q *Query) ofHandlers() func(store.Run) bool {
	if len(q.Handlers) == 0 {
		return nil
	}
	return func(r store.Run) bool { return slices.Contains(q.Handlers, r.Handler) }
}

// OfRuns is the query of runs for a store, without Where, Limit and After.
func (q *Query) OfRuns() store.RunQuery {
	return store.RunQuery{
		IDs: q.IDs, Handler: q.Handler, States: q.States, Sequence: q.Event, Before: q.Before, Oldest: q.Oldest,
		Patterns: q.Types, Source: q.Source, Since: q.Since, Until: q.Until, Chain: q.Chain, Bare: q.Bare,
	}
}

// checkRuns reads the events of runs, as far as a condition uses them, and returns what evaluates it for one of the runs.
func checkRuns(ctx context.Context, s store.Journal, where *expression.Expr, found []store.Run) (func(i int) (bool, error), error) {
	of := map[int64]*events.Event{}
	if where.UsesEvent() || where.UsesData() {
		sq := store.EventQuery{DataOnly: !where.UsesEvent(), Sequences: []int64{}}
		for i := range found {
			sq.Sequences = append(sq.Sequences, found[i].Sequence)
		}
		list, err := store.AllEvents(ctx, s, sq)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			of[e.Sequence] = e
		}
	}
	return func(i int) (bool, error) {
		r := &found[i]
		e := of[r.Sequence]
		if e == nil { // it was deleted
			e = &events.Event{Sequence: r.Sequence, Chain: r.Sequence}
		}
		env := expression.NewEnv(e)
		env.SetRun(expression.Run{ID: r.ID, Handler: r.Handler, State: r.State.String(), Attempt: r.Attempt, Error: r.Error})
		return where.Bool(env)
	}, nil
}

// moveRuns has a query begin at a place: after a run, or after all runs on an event, in the query's order.
func moveRuns(sq *store.RunQuery, to string) error {
	if to == "" {
		return nil
	}
	if sequence, err := strconv.ParseInt(to, 10, 64); err == nil && sequence >= 0 {
		if sq.AfterID = ""; sq.Oldest {
			sq.After = max(sq.After, sequence)
		} else if sq.Before == 0 || sequence < sq.Before {
			sq.Before = max(sequence, 1)
		}
		return nil
	}
	if _, _, _, err := store.ParseRunID(to); err != nil {
		return fmt.Errorf("%q: %w", to, ErrCursor)
	}
	sq.AfterID = to
	return nil
}

// place splits the cursor in a place and the number of sequences that were passed before it.
func (q *Query) place() (at string, passed int64, err error) {
	at, count, ok := strings.Cut(q.After, "~")
	if ok {
		if passed, err = strconv.ParseInt(count, 10, 64); err != nil {
			return "", 0, fmt.Errorf("%q: %w", q.After, ErrCursor)
		}
	}
	return at, passed, nil
}
