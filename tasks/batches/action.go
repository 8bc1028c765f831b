package batches

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/fault"
	"evrun/tasks/search"
)

// Action is what a batch does to each page of its selection.
type Action struct {
	Name   string // "retry"
	Events bool   // it is done to events, and not to runs
	// Usual are the states of the selected runs where the selection names none, States those that it may name.
	Usual, States []store.RunState
	// Shrinks: between the preview and the batch, runs leave the selection by themselves, because they go on meanwhile. That is not a change of the
	// selection. A run that comes into it is.
	Shrinks bool
	// To: the request must name a handler.
	To bool
	// Private: the selection is about a person. Neither the batch nor the audit trail has it, so a batch that was stopped can't be continued; the
	// same request does what is left.
	Private bool
	// Size is how many things a page has; 0: [PageSize] or [EventPageSize].
	Size int
	// More, if not nil, counts for a look what else would be changed with a page. Finish is called after the last page, and if there was none.
	More   func(ctx context.Context, page Page) (int, error)
	Finish func(ctx context.Context) error
	// Prepare, if not nil, checks a request's To and Options, and may complete its selection. It is also called for a batch that is continued. It returns
	// which events of the selection the action is done to; nil: all.
	Prepare func(ctx context.Context, r *Request) (keep func(*events.Event) bool, err error)
	// Do does a page, which is not empty: all of it or nothing. It moves the batch by step in the same transaction, and returns how many things it
	// changed.
	Do func(ctx context.Context, w Work, page Page, step store.Step) (changed int, err error)
}

// Work is what an action knows about its batch.
type Work struct {
	Batch   string
	By      string // the actor
	To, Why string
	Options json.RawMessage
}

// Page is a part of a selection: runs or events.
type Page struct {
	Runs   []store.Run
	Events []*events.Event
	Next   string // the cursor behind it; empty: this is the last page

	Failed  int // see [Preview]
	Failure error
}

// Len returns the number of things on the page.
func (p *Page) Len() int { return len(p.Runs) + len(p.Events) }

// key identifies a thing of the page.
func (p *Page) key(i int) string {
	if p.Events != nil {
		return strconv.FormatInt(p.Events[i].Sequence, 10)
	}
	return p.Runs[i].ID
}

func (p *Page) add(from *Page, i int) {
	if from.Events != nil {
		p.Events = append(p.Events, from.Events[i])
	} else {
		p.Runs = append(p.Runs, from.Runs[i])
	}
}

// join adds the page that comes next.
func (p *Page) join(next *Page) {
	p.Runs, p.Events, p.Next = append(p.Runs, next.Runs...), append(p.Events, next.Events...), next.Next
	if p.Failed += next.Failed; p.Failure == nil {
		p.Failure = next.Failure
	}
}

// bytes is the size of the data of the page's events.
func (p *Page) bytes() (n int) {
	for _, e := range p.Events {
		n += len(e.Data)
	}
	return n
}

// endedBy leaves out the runs that ended after a time: they were retried meanwhile, or began after the batch.
func (p *Page) endedBy(at time.Time) {
	p.Runs = slices.DeleteFunc(p.Runs, func(r store.Run) bool { return r.State.Ended() && r.FinishedAt.After(at) })
}

// page reads a page of runs or events.
func (a *Action) page(ctx context.Context, s store.Store, q search.Query) (Page, error) {
	if a.Events {
		found, err := search.Events(ctx, s, q)
		return Page{Events: found.Items, Next: found.Next, Failed: found.Failed, Failure: found.Failure}, err
	}
	found, err := search.Runs(ctx, s, q)
	return Page{Runs: found.Items, Next: found.Next, Failed: found.Failed, Failure: found.Failure}, err
}

// check checks what an action needs.
func (a *Action) check(r *Request) error {
	switch {
	case a.To && r.To == "":
		return wrong("to: the name of the handler that runs the events again")
	case !a.To && r.To != "":
		return wrong("to: %s has none", a.Name)
	case a.Prepare == nil && r.Options != nil:
		return wrong("options: %s has none", a.Name)
	case r.Selection.All() && !r.All:
		return wrong(`say which: type, handler, state, event, … or "all": true`)
	case !r.Selection.All() && r.All:
		return wrong("all: the selection says which; leave all out")
	}
	return nil
}

// names lists the actions, for a message.
func (b *Batches) names() string {
	names := make([]string, len(b.o.Actions))
	for i := range b.o.Actions {
		names[i] = b.o.Actions[i].Name
	}
	return "must be one of " + fault.And(names)
}

// OfRuns returns the actions on runs: retry, cancel and drop.
func OfRuns(do control.Changing) []Action {
	return []Action{
		{Name: "retry", Usual: []store.RunState{store.Dead}, States: control.Retryable, Do: ofPage(do, control.Changing.Retry)},
		{Name: "cancel", Usual: control.Cancellable, States: control.Cancellable, Shrinks: true, Do: ofPage(do, control.Changing.Cancel)},
		{Name: "drop", Usual: []store.RunState{store.Dead}, States: control.Droppable, Do: ofPage(do, control.Changing.Drop)},
	}
}

// ofPage makes a change of runs the change of a page. It changes only runs that are still in the state in which they were selected.
func ofPage(runs control.Changing, do func(control.Changing, context.Context, store.Change) ([]store.Run, error)) func(context.Context, Work, Page, store.Step) (int, error) {
	return func(ctx context.Context, w Work, page Page, step store.Step) (int, error) {
		if len(page.Runs) == 0 { // without runs, a change is of all that its query selects
			return 0, errors.New("an empty page")
		}
		c := store.Change{By: w.By, Why: w.Why, Runs: page.Runs, Step: &step}
		for i := range page.Runs {
			if state := page.Runs[i].State; !slices.Contains(c.Query.States, state) {
				c.Query.States = append(c.Query.States, state)
			}
		}
		changed, err := do(runs, ctx, c)
		return len(changed), err
	}
}
