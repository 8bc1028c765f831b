// Package chain follows an event's consequences: the runs of all matching handlers, the events that they emit, and so on, until all runs have ended.
//
// It reads the store and asks the runner; both are in [Handlers]. Those who want to wait for a chain call [evrun/tasks.Runner.Follow]. [Follow] runs in
// its caller's goroutine and starts none.
package chain

import (
	"context"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
)

// Handlers are the wired handlers, and the store that has their runs.
type Handlers struct {
	Store store.Store
	// Matching returns the names of the wired handlers that an event goes to.
	Matching func(e *events.Event) []string
	// Awaits reports whether a run of a handler on an event may still come: the event goes to the handler, or did and the handler is finishing its
	// work after it left.
	Awaits func(name string, e *events.Event) bool
	// Marks returns the low-water marks, by name, of the handlers that run or are paused.
	Marks func(ctx context.Context) (map[string]int64, error)
}

// Link is one element of a chain: an event, or a run that has ended. Exactly one of them is set.
type Link struct {
	Event *events.Event
	Run   *store.Run
}

// Chain is an event with its consequences, as far as they were followed. It is read whenever a commit has touched it.
//
// A run may still come while its handler is wired to the event's type, or is finishing its work after it left, and its low-water mark is before the
// event. If the mark is at or past the event and there is no run, none will come, for example because the handler is newer than the event.
type Chain struct {
	in        Handlers
	root      int64          // the sequence of its first event
	part      map[int64]bool // the followed events of the chain; nil: all
	last      int64          // the last event of the chain that was read
	open      []*openEvent   // events with runs that have not ended
	Matched   bool           // a handler matched an event
	Dead      bool           // a run is dead
	Cancelled bool           // a run was cancelled
}

type openEvent struct {
	event   *events.Event
	known   map[string]bool // handlers that it goes to, now or at some time since the chain is followed
	waiting map[string]bool // those whose run has not ended
}

// lookAgain is how often a chain is read when no commit has reported it: a commit that was in progress when the subscription began may arrive without
// its runs. Moved marks and a new wiring are noticed then, too.
const lookAgain = time.Second

// Follow follows the consequences of root, an accepted event. If root is the first of its chain, that is the whole chain; otherwise only the part
// below root, because a run that published root and waits for it must not wait for itself. The store's commits are published to commits; subscribe
// before root is accepted to miss none. Follow calls each for root and all its consequences, in order. It returns when all runs have ended, when ctx
// ends, or when each fails.
func Follow(ctx context.Context, in Handlers, root *events.Event, commits *events.Feed[store.Commit], each func(Link) error) (*Chain, error) {
	c := &Chain{in: in, root: root.Chain, last: root.Sequence - 1}
	if root.Chain != root.Sequence {
		c.part = map[int64]bool{root.Sequence: true}
	}
	sub := commits.Subscribe(64)
	defer func() { sub.Unsubscribe() }()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for look := true; ; {
		if err := c.refresh(ctx, look, each); err != nil {
			return c, err
		}
		if len(c.open) == 0 {
			return c, nil
		}
		look = false
		for touched := false; !touched; {
			select {
			case commit, ok := <-sub.C():
				if !ok { // commits came too fast: read the store instead
					if sub = commits.Subscribe(64); sub.Err() != nil {
						return c, sub.Err()
					}
					touched = true
					break
				}
				touched = slices.ContainsFunc(commit.Events, func(e *events.Event) bool { return e.Chain == c.root }) ||
					slices.ContainsFunc(commit.Runs, func(r store.Run) bool { return r.Chain == c.root })
			case <-again.C:
				touched, look = true, true
			case <-ctx.Done():
				return c, ctx.Err()
			}
		}
	}
}

// refresh reads new events and runs. With look it also stops waiting for runs that can't come any more. It reads runs before the events that they
// emitted: once a run has ended, its events are stored.
func (c *Chain) refresh(ctx context.Context, look bool, each func(Link) error) error {
	if err := c.read(ctx, each); err != nil || !look || len(c.open) == 0 {
		return err
	}
	marks, err := c.in.Marks(ctx)
	if err != nil {
		return err
	}
	for _, o := range c.open { // a handler may have been renamed
		o.add(c.in.Matching(o.event))
	}
	// Marks first, then runs: once a mark has passed an event, the event has its run. A run that has ended since the events were read may have
	// emitted further events.
	err = c.closeEvents(ctx, each, func(name string, e *events.Event) bool {
		mark, ok := marks[name]
		return ok && mark >= e.Sequence
	})
	if err != nil {
		return err
	}
	return c.read(ctx, each)
}

// read reads the runs that have ended and the events that they emitted, until there are no more.
func (c *Chain) read(ctx context.Context, each func(Link) error) error {
	for grown := true; grown; {
		err := c.readRuns(ctx, each)
		if err != nil {
			return err
		}
		if grown, err = c.readEvents(ctx, each); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chain) readEvents(ctx context.Context, each func(Link) error) (grown bool, err error) {
	for {
		page, err := c.in.Store.Events(ctx, store.EventQuery{After: c.last, Chain: c.root})
		if err != nil || len(page) == 0 {
			return grown, err
		}
		for _, e := range page {
			c.last, grown = e.Sequence, true
			if c.part != nil {
				if !c.part[e.Sequence] && !c.part[e.Cause] {
					continue
				}
				c.part[e.Sequence] = true
			}
			if err := each(Link{Event: e}); err != nil {
				return grown, err
			}
			names := c.in.Matching(e)
			if len(names) == 0 {
				continue
			}
			c.Matched = true
			o := &openEvent{event: e, known: map[string]bool{}, waiting: map[string]bool{}}
			o.add(names)
			c.open = append(c.open, o)
			// Its runs may have ended already: they come before the events that they emitted.
			if err := c.readRuns(ctx, each); err != nil {
				return grown, err
			}
		}
	}
}

// add records that the event waits for these handlers, unless it already did.
func (o *openEvent) add(names []string) {
	for _, name := range names {
		if !o.known[name] {
			o.known[name], o.waiting[name] = true, true
		}
	}
}

func (c *Chain) readRuns(ctx context.Context, each func(Link) error) error {
	return c.closeEvents(ctx, each, func(string, *events.Event) bool { return false })
}

// closeEvents reads the runs that have ended, and removes the events whose runs have all ended. past reports whether a handler's mark is at or past
// an event.
func (c *Chain) closeEvents(ctx context.Context, each func(Link) error, past func(name string, e *events.Event) bool) error {
	for _, o := range c.open {
		var never []string // all their runs are in the store
		for name := range o.waiting {
			if !c.in.Awaits(name, o.event) || past(name, o.event) {
				never = append(never, name)
			}
		}
		under, err := c.readEnded(ctx, o, each)
		if err != nil {
			return err
		}
		for _, name := range never {
			if !under[name] || !c.in.Awaits(name, o.event) {
				delete(o.waiting, name)
			}
		}
	}
	c.open = slices.DeleteFunc(c.open, func(o *openEvent) bool { return len(o.waiting) == 0 })
	return nil
}

// chainPage is how many runs of one event are read at a time.
const chainPage = 1000

// readEnded reads an event's runs. It passes on those that have ended, and returns the names of the handlers whose run has not.
func (c *Chain) readEnded(ctx context.Context, o *openEvent, each func(Link) error) (under map[string]bool, err error) {
	under = map[string]bool{}
	for q := (store.RunQuery{Sequence: o.event.Sequence, Limit: chainPage}); ; {
		runs, err := c.in.Store.Runs(ctx, q)
		if err != nil {
			return under, err
		}
		for i := range runs {
			run := &runs[i]
			switch {
			case !run.State.Ended():
				under[run.Handler] = true
			case o.waiting[run.Handler]:
				delete(o.waiting, run.Handler)
				c.Dead = c.Dead || run.State == store.Dead
				c.Cancelled = c.Cancelled || run.State == store.Cancelled
				if err := each(Link{Run: run}); err != nil {
					return under, err
				}
			}
		}
		if len(runs) < chainPage {
			return under, nil
		}
		q.AfterID = runs[len(runs)-1].ID
	}
}
