package stream

import (
	"fmt"
	"slices"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
	"evrun/tasks/search"
)

// Filter says what a stream sends; all set fields must match. The zero Filter sends nothing.
type Filter struct {
	Events, Runs bool // send these

	Types  []events.Pattern // of the event; none: any
	Source string           // of the event; empty: any
	Chain  int64            // the sequence of the first event of its chain; 0: any

	Handler  string           // of the run; empty: any
	Handlers []string         // the run is of one of these; none: any
	States   []store.RunState // that the run comes into; none: any

	// Conditions are true of what is sent; nil: always. They are compiled of one text, for [expression.SelectEvents] and [expression.SelectRuns].
	OnEvents, OnRuns *expression.Expr
}

// Condition sets both conditions. One that names run is about runs alone: then no events are sent. The error is a [*search.SelectionError].
func (f *Filter) Condition(text string) (err error) {
	if f.OnRuns, err = expression.Compile(text, expression.SelectRuns); err != nil {
		return &search.SelectionError{Name: "where", Err: err}
	}
	if f.OnEvents, err = expression.Compile(text, expression.SelectEvents); err != nil {
		f.Events, f.Runs = false, true
	}
	if !f.Events {
		f.OnEvents = nil
	}
	if !f.Runs {
		f.OnRuns = nil
	}
	return nil
}

// key is equal for filters that send the same.
func (f *Filter) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%t %t %q %d %q %q %v", f.Events, f.Runs, f.Source, f.Chain, f.Handler, f.Handlers, f.States)
	for _, p := range f.Types {
		fmt.Fprintf(&b, " %s", p)
	}
	if where := f.where(); where != nil {
		fmt.Fprintf(&b, " %q", where)
	}
	return b.String()
}

func (f *Filter) where() *expression.Expr {
	if f.OnEvents != nil {
		return f.OnEvents
	}
	return f.OnRuns
}

// event reports whether an event of one of the types may be sent: the condition is not evaluated.
func (f *Filter) event(e *events.Event) bool {
	return (f.Source == "" || e.Source == f.Source) && (f.Chain == 0 || e.Chain == f.Chain)
}

// run is event for a run, whose event is not looked at.
func (f *Filter) run(r *store.Run) bool {
	return (f.Handler == "" || r.Handler == f.Handler) && (len(f.Handlers) == 0 || slices.Contains(f.Handlers, r.Handler)) &&
		(len(f.States) == 0 || slices.Contains(f.States, r.State))
}

// needsEvents reports whether runs can only be selected with their events.
func (f *Filter) needsEvents() bool {
	return f.Runs && (f.Source != "" || f.Chain != 0 || f.OnRuns != nil)
}

// query is the filter for the journal. What it selects is still to be looked at with event, and with the condition.
func (f *Filter) query() store.EventQuery {
	q := store.EventQuery{Patterns: f.Types, Source: f.Source, Chain: f.Chain}
	if f.OnEvents != nil {
		q.Holding = f.OnEvents.Texts()
	}
	return q
}

// maxSteps bounds the work of a condition for one event or run: at most about 40 ms.
const maxSteps = 200_000

// condition evaluates conditions. Not safe for concurrent use.
type condition struct {
	budget *expression.Budget
	recent [recentDecoded]decoded // of new events, by their seqs
}

// decoded is an event, whose data is decoded once for all conditions.
type decoded struct {
	event *events.Event
	env   *expression.Env
}

const (
	recentDecoded = 128
	mostDecoded   = 2 << 10 // bytes of data of an event that is kept decoded: its values may hold twenty times as much
)

func newCondition() *condition {
	return &condition{budget: expression.NewBudget(maxSteps, "where may take for one event of a stream", "a list of events takes more: GET /v1/events")}
}

func (c *condition) event(where *expression.Expr, e *events.Event) (bool, error) {
	return c.is(where, expression.NewEnv(e))
}

// newEvent is event for one that other conditions look at, too.
func (c *condition) newEvent(where *expression.Expr, e *events.Event) (bool, error) {
	if len(e.Data) > mostDecoded {
		return c.event(where, e)
	}
	at := &c.recent[e.Sequence%recentDecoded]
	if at.event != e {
		*at = decoded{e, expression.NewEnv(e)}
	}
	return c.is(where, at.env)
}

func (c *condition) run(where *expression.Expr, e *events.Event, r *store.Run) (bool, error) {
	env := expression.NewEnv(e)
	env.SetRun(expression.Run{ID: r.ID, Handler: r.Handler, State: r.State.String(), Attempt: r.Attempt, Error: r.Error})
	return c.is(where, env)
}

func (c *condition) is(where *expression.Expr, env *expression.Env) (bool, error) {
	c.budget.Renew()
	env.Within(c.budget)
	return where.Bool(env)
}
