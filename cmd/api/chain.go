package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
)

// Chain is an event's whole chain: the first event, everything that it caused, and their runs. Its events are a flat list in the order of their seq;
// each names the event and the run that published it, so that it is a tree, too.
type Chain struct {
	Root   int64        `json:"root,string"` // the seq of the first event
	TookMS float64      `json:"took_ms"`     // from the first event to the end of the last run that has ended
	More   bool         `json:"more,omitempty"`
	Events []ChainEvent `json:"events"`
}

// ChainEvent is an event of a chain, without its data.
type ChainEvent struct {
	Sequence int64      `json:"seq,string"`
	ID       string     `json:"id"`
	Type     string     `json:"type"`
	Time     time.Time  `json:"time"`
	Cause    int64      `json:"cause,string,omitempty"` // the seq of the event whose run published it; not of the first one
	By       string     `json:"by,omitempty"`           // the id of that run, where it is known: what a program publishes names only the event
	Slowest  bool       `json:"slowest,omitempty"`
	Runs     []ChainRun `json:"runs"`
}

// ChainRun is a run of a chain.
type ChainRun struct {
	Run
	WaitMS  *float64 `json:"wait_ms,omitempty"` // from the event's time to the start of the last attempt
	Slowest bool     `json:"slowest,omitempty"` // it is on the path to the run that ended last
}

// The bounds of a chain: it is cut behind these, and then has More.
const (
	maxChainEvents = 10_000
	maxChainRuns   = 20_000
)

// getChain answers with the chain that an event belongs to.
func (s *Server) getChain(r *http.Request) (any, error) {
	ctx := r.Context()
	e, err := s.findEvent(ctx, r.PathValue("id"), r.URL.Query().Get("source"), parametersOf(r).yes("exact"))
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
	c.link()
	c.markSlowest()
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
			c.Events = append(c.Events, chainEventOf(e))
		}
		q.After = page[len(page)-1].Sequence
	}
}

func chainEventOf(e *events.Event) ChainEvent {
	return ChainEvent{Sequence: e.Sequence, ID: e.ID, Type: e.Type, Time: e.Time.UTC(), Cause: e.Cause, Runs: []ChainRun{}}
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
			e := c.event(run.Sequence)
			if e == nil {
				continue
			}
			if n++; n > maxChainRuns {
				c.More = true
				return nil
			}
			member := ChainRun{Run: run}
			if run.StartedAt != nil {
				ms := milliseconds(run.StartedAt.Sub(e.Time))
				member.WaitMS = &ms
			}
			e.Runs = append(e.Runs, member)
		}
		q.AfterID = page[len(page)-1].ID
	}
}

// event is an event of the chain by its seq, or nil.
func (c *Chain) event(sequence int64) *ChainEvent {
	i, ok := slices.BinarySearchFunc(c.Events, sequence, func(e ChainEvent, sequence int64) int {
		return int(e.Sequence - sequence)
	})
	if !ok {
		return nil
	}
	return &c.Events[i]
}

// link finds the run that published each event: the event's id begins with the run's.
func (c *Chain) link() {
	for i := range c.Events {
		e := &c.Events[i]
		cause := c.event(e.Cause)
		if cause == nil {
			continue
		}
		for _, run := range cause.Runs {
			if strings.HasPrefix(e.ID, run.ID+".") && len(run.ID) > len(e.By) {
				e.By = run.ID
			}
		}
	}
}

// markSlowest marks the path to the run that ended last.
func (c *Chain) markSlowest() {
	var last *ChainRun
	for i := range c.Events {
		for j := range c.Events[i].Runs {
			if r := &c.Events[i].Runs[j]; r.FinishedAt != nil && (last == nil || r.FinishedAt.After(*last.FinishedAt)) {
				last = r
			}
		}
	}
	if last == nil {
		return
	}
	c.TookMS = milliseconds(last.FinishedAt.Sub(c.Events[0].Time))
	for run := last; run != nil; {
		run.Slowest = true
		e := c.event(run.Sequence)
		for run = nil; e != nil && !e.Slowest && run == nil; e = c.event(e.Cause) {
			e.Slowest = true
			if cause := c.event(e.Cause); cause != nil {
				if i := slices.IndexFunc(cause.Runs, func(r ChainRun) bool { return r.ID == e.By }); i >= 0 {
					run = &cause.Runs[i]
				}
			}
		}
	}
}
