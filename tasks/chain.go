package tasks

import (
	"context"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
)

// Link is one thing that happened in a chain: an event, or the end of a run. One of the two is set.
type Link struct {
	Event *events.Event
	Run   *store.Run
}

// Chain follows what an event causes: the runs of every matching handler, the events that these emit, and so on, until
// nothing is left to wait for. It reads the store, which knows best, whenever a commit has touched the chain.
//
// A run may still come while its handler is wired to the event's type, or ends what it has begun, and has its low-water mark
// before the event. No run, and a mark at or past the event, means that there will be none: the handler came later, say.
type Chain struct {
	runner  *Runner
	commits *events.Feed[store.Commit]
	root    int64          // the sequence of its first event
	part    map[int64]bool // the events of it that are followed; nil: all
	last    int64          // the last event of the chain that was seen
	open    []*openEvent   // events whose runs have not all ended
	wired   *wired         // the wiring that open was made for
	Matched bool           // some handler matched some event
	Dead    bool           // some run is dead
}

type openEvent struct {
	event   *events.Event
	known   map[string]bool // handlers that its type goes to, or went to while it was followed
	waiting map[string]bool // those whose run has not ended
}

// lookAgain is how often a chain is looked at when no commit has reported it: one that was under way while a subscription
// began may come without its runs. Marks that have moved, and another wiring, are seen then, too.
const lookAgain = time.Second

// Follow follows what root, an accepted event, causes: all of its chain where root is the first of it, and else no more than
// root's own part, as one that a run published and waits for must not wait for that run. commits is where the store's commits are
// published, best subscribed to before root was accepted. It calls each for root and everything that it causes, in order,
// and returns when all has ended, when ctx ends, or when each fails.
func (r *Runner) Follow(ctx context.Context, root *events.Event, commits *events.Feed[store.Commit], each func(Link) error) (*Chain, error) {
	c := &Chain{runner: r, commits: commits, root: root.Chain, last: root.Sequence - 1}
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
				if !ok { // it came too fast: the store has it all
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

// refresh reads new events and runs; with look it also lets go of runs that can't come any more. It reads runs before the events
// that they emitted: once a run has ended, its events are stored.
func (c *Chain) refresh(ctx context.Context, look bool, each func(Link) error) error {
	if err := c.read(ctx, each); err != nil || !look || len(c.open) == 0 {
		return err
	}
	marks, err := c.runner.marks(ctx)
	if err != nil {
		return err
	}
	if at := c.runner.wired.Load(); at != c.wired { // a handler may have another name now
		c.wired = at
		for _, o := range c.open {
			o.add(c.runner.Matching(o.event.Type))
		}
	}
	// The marks first, the runs afterwards: an event that the mark has passed has its run by then. A run that has ended since the events were
	// read may have emitted one.
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
		page, err := c.runner.o.Store.Events(ctx, store.EventQuery{After: c.last, Chain: c.root})
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
			names := c.runner.Matching(e.Type)
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

// add waits for handlers, unless it has done so before.
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

// closeEvents reads the runs that have ended, and lets go of the events for whose runs nothing is waited for any more: past says
// that a handler's mark is at or past an event.
func (c *Chain) closeEvents(ctx context.Context, each func(Link) error, past func(name string, e *events.Event) bool) error {
	for _, o := range c.open {
		var never []string // whose runs are all in the store by now
		for name := range o.waiting {
			if !c.runner.awaits(name, o.event.Type) || past(name, o.event) {
				never = append(never, name)
			}
		}
		under, err := c.readEnded(ctx, o, each)
		if err != nil {
			return err
		}
		for _, name := range never {
			if !under[name] || !c.runner.awaits(name, o.event.Type) {
				delete(o.waiting, name)
			}
		}
	}
	c.open = slices.DeleteFunc(c.open, func(o *openEvent) bool { return len(o.waiting) == 0 })
	return nil
}

// chainPage is how many runs of one event are read at a time.
const chainPage = 1000

// readEnded reads an event's runs: it hands on those that have ended, and returns the names of the handlers whose has not.
func (c *Chain) readEnded(ctx context.Context, o *openEvent, each func(Link) error) (under map[string]bool, err error) {
	under = map[string]bool{}
	for q := (store.RunQuery{Sequence: o.event.Sequence, Limit: chainPage}); ; {
		runs, err := c.runner.o.Store.Runs(ctx, q)
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
