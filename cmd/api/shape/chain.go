package shape

import (
	"slices"
	"strings"
	"time"

	"evrun/events"
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

// ChainEventOf returns the shape of an event of a chain, without its runs.
func ChainEventOf(e *events.Event) ChainEvent {
	return ChainEvent{Sequence: e.Sequence, ID: e.ID, Type: e.Type, Time: e.Time.UTC(), Cause: e.Cause, Runs: []ChainRun{}}
}

// Event is an event of the chain by its seq, or nil.
func (c *Chain) Event(sequence int64) *ChainEvent {
	i, ok := slices.BinarySearchFunc(c.Events, sequence, func(e ChainEvent, sequence int64) int {
		return int(e.Sequence - sequence)
	})
	if !ok {
		return nil
	}
	return &c.Events[i]
}

// Link finds the run that published each event: the event's id begins with the run's.
func (c *Chain) Link() {
	for i := range c.Events {
		e := &c.Events[i]
		cause := c.Event(e.Cause)
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

// MarkSlowest marks the path to the run that ended last.
func (c *Chain) MarkSlowest() {
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
	c.TookMS = Milliseconds(last.FinishedAt.Sub(c.Events[0].Time))
	for run := last; run != nil; {
		run.Slowest = true
		e := c.Event(run.Sequence)
		for run = nil; e != nil && !e.Slowest && run == nil; e = c.Event(e.Cause) {
			e.Slowest = true
			if cause := c.Event(e.Cause); cause != nil {
				if i := slices.IndexFunc(cause.Runs, func(r ChainRun) bool { return r.ID == e.By }); i >= 0 {
					run = &cause.Runs[i]
				}
			}
		}
	}
}
