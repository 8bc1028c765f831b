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
type Chain struct {
	runner  *Runner
	commits *events.Feed[store.Commit]
	root    int64        // the sequence of its first event
	last    int64        // the last event of the chain that was seen
	open    []*openEvent // events whose runs have not all ended
	Matched bool         // some handler matched some event
	Dead    bool         // some run is dead
}

type openEvent struct {
	event   *events.Event
	waiting map[string]bool // handlers whose run has not ended
}

// lookAgain is how often a chain is looked at when no commit has told of it: one that was under way while a subscription
// began may come without its runs.
const lookAgain = time.Second

// Follow follows the chain that root, an accepted event, belongs to, from root on: commits is where the store's commits are
// published, best subscribed to before root was accepted. It calls each for root and everything that it causes, in order,
// and returns when all has ended, when ctx ends, or when each fails.
func (r *Runner) Follow(ctx context.Context, root *events.Event, commits *events.Feed[store.Commit], each func(Link) error) (*Chain, error) {
	c := &Chain{runner: r, commits: commits, root: root.Chain, last: root.Sequence - 1}
	sub := commits.Subscribe(64)
	defer func() { sub.Unsubscribe() }()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		if err := c.refresh(ctx, each); err != nil {
			return c, err
		}
		if len(c.open) == 0 {
			return c, nil
		}
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
				touched = true
			case <-ctx.Done():
				return c, ctx.Err()
			}
		}
	}
}

// refresh reads what is new. Runs are read before the events they emitted: what a run that has ended emitted is there.
func (c *Chain) refresh(ctx context.Context, each func(Link) error) error {
	for {
		if err := c.readRuns(ctx, each); err != nil {
			return err
		}
		grown, err := c.readEvents(ctx, each)
		if err != nil || !grown {
			return err
		}
	}
}

func (c *Chain) readEvents(ctx context.Context, each func(Link) error) (grown bool, err error) {
	for {
		page, err := c.runner.o.Store.Events(ctx, store.EventQuery{After: c.last, Chain: c.root})
		if err != nil || len(page) == 0 {
			return grown, err
		}
		for _, e := range page {
			c.last, grown = e.Sequence, true
			if err := each(Link{Event: e}); err != nil {
				return grown, err
			}
			names := c.runner.Matching(e.Type)
			if len(names) == 0 {
				continue
			}
			c.Matched = true
			o := &openEvent{event: e, waiting: map[string]bool{}}
			for _, name := range names {
				o.waiting[name] = true
			}
			c.open = append(c.open, o)
			// Its runs may have ended already: they come before what they emitted.
			if err := c.readRuns(ctx, each); err != nil {
				return grown, err
			}
		}
	}
}

func (c *Chain) readRuns(ctx context.Context, each func(Link) error) error {
	for _, o := range c.open {
		var never []string // whose runs are all in the store by now: the wiring was replaced
		for name := range o.waiting {
			if !c.runner.awaits(name, o.event.Type) {
				never = append(never, name)
			}
		}
		runs, err := c.runner.o.Store.Runs(ctx, store.RunQuery{Sequence: o.event.Sequence})
		if err != nil {
			return err
		}
		for i := range runs {
			run := &runs[i]
			if !run.State.Settled() || !o.waiting[run.Handler] {
				continue
			}
			delete(o.waiting, run.Handler)
			c.Dead = c.Dead || run.State == store.Dead
			if err := each(Link{Run: run}); err != nil {
				return err
			}
		}
		for _, name := range never {
			delete(o.waiting, name)
		}
	}
	c.open = slices.DeleteFunc(c.open, func(o *openEvent) bool { return len(o.waiting) == 0 })
	return nil
}
