// Package summary counts the runs of a selection: all of them, by state, handler and type, and by error, where texts are made alike (package alike).
//
// It goes through the journal in steps of bounded work, the newest events first, and reports the sums so far after each, so that millions of runs need
// no long query, and whoever waits sees them grow:
//
//	err := summary.Runs(ctx, store, query, func(s *summary.Summary) error { … s.Count, s.Errors(10), s.Progress … })
//
// The error of a group, asked for as [Group.Where] says, selects exactly the group. Memory is bounded: [MaxNames] handlers, types and errors each have
// a count of their own, and further ones only the common count. No goroutines.
package summary

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"evrun/store"
	"evrun/tasks/alike"
	"evrun/tasks/search"
)

// MaxNames is how many handlers, types and errors are told apart.
const MaxNames = 2000

// stepTime is how long a step takes, about.
const stepTime = search.StepTime / 2

// Source is what is counted.
type Source interface {
	search.Source
	TallyRuns(ctx context.Context, q store.RunQuery, look int) (store.Part[store.RunTally], error)
}

// Count is a number of runs.
type Count struct {
	Name  string
	Count int
}

// Group is the runs with errors that are alike.
type Group struct {
	Error    string // with # and … in place of what differs
	Example  string // the error of one of them
	Count    int
	Newest   int64 // the greatest seq of their events
	Handlers []Count
}

// maxHandlers is how many handlers a group tells apart.
const maxHandlers = 20

// Where is the condition on a run that selects the group.
func (g *Group) Where() string { return "alike(run.error) == " + strconv.Quote(g.Error) }

// Summary is the sums so far.
type Summary struct {
	Count    int
	Scanned  int64   // runs or events that were looked at, at most
	Progress float64 // from 0 to 1
	Failed   int     // runs that were left out because the condition could not be evaluated; Failure is the first reason
	Failure  error
	Done     bool

	states          map[store.RunState]int
	handlers, types map[string]int
	errors          map[string]*Group
}

// Runs counts the selected runs. each is called after every step, and last with Done; its error, or the end of ctx, ends the count. The query's Limit,
// After and Oldest are not used.
func Runs(ctx context.Context, s Source, q search.Query, each func(*Summary) error) error {
	sum := &Summary{states: map[store.RunState]int{}, handlers: map[string]int{}, types: map[string]int{}, errors: map[string]*Group{}}
	step := sum.tallied(s, q)
	if q.Where != nil || slices.Contains(q.States, store.Waiting) { // each run must be looked at, or has no row
		step = sum.searched(s, q)
	}
	for !sum.Done {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return err
		}
		if err := each(sum); err != nil {
			return err
		}
	}
	return nil
}

// searched returns a step that counts a page of a search.
func (s *Summary) searched(from Source, q search.Query) func(context.Context) error {
	q.Limit, q.Bare, q.Oldest, q.After = 1000, true, false, ""
	return func(ctx context.Context) error {
		page, err := search.Runs(ctx, from, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			r := &page.Items[i]
			s.add(store.RunTally{Handler: r.Handler, State: r.State, Type: r.Type, Error: r.Error, Count: 1, Newest: r.Sequence})
		}
		s.Scanned, s.Progress, s.Failed = s.Scanned+page.Scanned, page.Progress, s.Failed+page.Failed
		if s.Failure == nil {
			s.Failure = page.Failure
		}
		if q.After = page.Next; q.After == "" {
			s.Done, s.Progress = true, 1
		}
		return nil
	}
}

// The bounds of one look.
const (
	firstLook = 1 << 12
	mostLook  = 1 << 14 // beyond, the counting of one query takes longer for each run
)

// tallied returns a step that lets the store count for about [stepTime].
func (s *Summary) tallied(from Source, q search.Query) func(context.Context) error {
	q.Oldest = false
	sq, look, passed := q.OfRuns(), firstLook, int64(0)
	return func(ctx context.Context) error {
		for began := time.Now(); !s.Done && time.Since(began) < stepTime; {
			counting := time.Now()
			part, err := from.TallyRuns(ctx, sq, look)
			if err != nil {
				return err
			}
			for _, t := range part.Items {
				if len(q.Handlers) == 0 || slices.Contains(q.Handlers, t.Handler) {
					s.add(t)
				}
			}
			passed += part.Passed
			s.Scanned += int64(part.Looked)
			if s.Progress = float64(passed) / float64(max(1, passed+part.Left)); part.End {
				s.Done, s.Progress = true, 1
			}
			sq.Before = part.Reached
			switch took := time.Since(counting); {
			case took < stepTime/4:
				look = min(2*look, mostLook)
			case took > stepTime:
				look = max(look/2, firstLook/4)
			}
		}
		return nil
	}
}

func (s *Summary) add(t store.RunTally) {
	s.Count += t.Count
	s.states[t.State] += t.Count
	named(s.handlers, t.Handler, t.Count, MaxNames)
	named(s.types, t.Type, t.Count, MaxNames)
	if t.Error == "" {
		return
	}
	text := alike.Text(t.Error)
	g := s.errors[text]
	if g == nil {
		if len(s.errors) == MaxNames {
			return
		}
		g = &Group{Error: text, Example: t.Error, Handlers: []Count{}}
		s.errors[text] = g
	}
	g.Count, g.Newest = g.Count+t.Count, max(g.Newest, t.Newest)
	if i := slices.IndexFunc(g.Handlers, func(c Count) bool { return c.Name == t.Handler }); i >= 0 {
		g.Handlers[i].Count += t.Count
	} else if len(g.Handlers) < maxHandlers {
		g.Handlers = append(g.Handlers, Count{t.Handler, t.Count})
	}
}

func named(counts map[string]int, name string, n, most int) {
	if _, known := counts[name]; known || len(counts) < most {
		counts[name] += n
	}
}

// States returns the counts of states that runs are in, in the order of their lives.
func (s *Summary) States() (list []Count) {
	for _, state := range []store.RunState{store.Waiting, store.Running, store.Retrying, store.Succeeded, store.Skipped, store.Dead, store.Dropped, store.Cancelled} {
		if n := s.states[state]; n > 0 {
			list = append(list, Count{state.String(), n})
		}
	}
	return list
}

// Handlers returns the handlers with most runs.
func (s *Summary) Handlers(most int) []Count { return largest(s.handlers, most) }

// Types returns the types with most runs. The name of the type of deleted events is empty.
func (s *Summary) Types(most int) []Count { return largest(s.types, most) }

func largest(counts map[string]int, most int) []Count {
	list := make([]Count, 0, len(counts))
	for name, n := range counts {
		list = append(list, Count{name, n})
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) })
	return list[:min(len(list), most)]
}

// Errors returns the errors that most runs have.
func (s *Summary) Errors(most int) []Group {
	list := make([]Group, 0, len(s.errors))
	for _, g := range s.errors {
		one := *g
		one.Handlers = slices.Clone(g.Handlers)
		slices.SortFunc(one.Handlers, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) })
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Group) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Error, b.Error)) })
	return list[:min(len(list), most)]
}
