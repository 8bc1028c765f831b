package api

import (
	"context"
	"net/http"

	"evrun/cmd/api/shape"
	"evrun/store"
)

// The bounds of a chain: it is cut behind these, and then has More.
const (
	maxChainEvents = 10_000
	maxChainRuns   = 20_000
)

// getChain answers with the chain that an event belongs to.
func (s *Server) getChain(r *http.Request, q eventName) (*Chain, error) {
	ctx := r.Context()
	e, err := s.findEvent(ctx, r.PathValue("id"), q.Source, q.Exact)
	if err != nil {
		return nil, err
	}
	c := &Chain{Root: e.Chain, Events: []ChainEvent{}}
	if err := s.chainEvents(ctx, c); err != nil {
		return nil, err
	}
	if err := s.chainRuns(ctx, c); err != nil {
		return nil, err
	}
	c.Link()
	c.MarkSlowest()
	return c, nil
}

// chainEvents reads the events of a chain.
func (s *Server) chainEvents(ctx context.Context, c *Chain) error {
	for q := (store.EventQuery{Chain: c.Root}); ; {
		page, err := s.o.Store.Events(ctx, q)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			if len(c.Events) == maxChainEvents {
				c.More = true
				return nil
			}
			c.Events = append(c.Events, shape.ChainEventOf(e))
		}
		q.After = page[len(page)-1].Sequence
	}
}

// chainRuns reads the runs of a chain's events.
func (s *Server) chainRuns(ctx context.Context, c *Chain) error {
	n := 0
	for q := (store.RunQuery{Chain: c.Root, Oldest: true}); ; {
		page, err := s.o.Store.Runs(ctx, q)
		if err != nil || len(page) == 0 {
			return err
		}
		s.begun(ctx, page)
		for _, run := range s.reasons.Runs(ctx, page) {
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
				ms := shape.Milliseconds(run.StartedAt.Sub(e.Time))
				member.WaitMS = &ms
			}
			e.Runs = append(e.Runs, member)
		}
		q.AfterID = page[len(page)-1].ID
	}
}
