package shape

import (
	"context"

	"evrun/store"
)

// The bounds of a chain: it is cut behind these, and then has More.
const (
	maxChainEvents = 10_000
	maxChainRuns   = 20_000
)

// ReadChain reads the chain of an event, by the seq of the chain's first one. told is the shape of runs.
func ReadChain(ctx context.Context, s store.Store, root int64, told func([]store.Run) []Run) (*Chain, error) {
	c := &Chain{Root: root, Events: []ChainEvent{}}
	if err := c.readEvents(ctx, s); err != nil {
		return nil, err
	}
	if err := c.readRuns(ctx, s, told); err != nil {
		return nil, err
	}
	c.Link()
	c.MarkSlowest()
	return c, nil
}

// readEvents reads the events of a chain.
func (c *Chain) readEvents(ctx context.Context, s store.Store) error {
	for q := (store.EventQuery{Chain: c.Root}); ; {
		page, err := s.Events(ctx, q)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			if len(c.Events) == maxChainEvents {
				c.More = true
				return nil
			}
			c.Events = append(c.Events, ChainEventOf(e))
		}
		q.After = page[len(page)-1].Sequence
	}
}

// readRuns reads the runs of a chain's events.
func (c *Chain) readRuns(ctx context.Context, s store.Store, told func([]store.Run) []Run) error {
	n := 0
	for q := (store.RunQuery{Chain: c.Root, Oldest: true}); ; {
		page, err := s.Runs(ctx, q)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, run := range told(page) {
			e := c.Event(run.Sequence)
			if e == nil {
				continue
			}
			if n++; n > maxChainRuns {
				c.More = true
				return nil
			}
			member := ChainRun{Run: run}
			if run.StartedAt != nil {
				ms := Milliseconds(run.StartedAt.Sub(e.Time))
				member.WaitMS = &ms
			}
			e.Runs = append(e.Runs, member)
		}
		q.AfterID = page[len(page)-1].ID
	}
}
