// Package compare says what two wirings would do with the same events, without doing it: today's and one that is being edited. For each handler it
// counts the events that it would run on, skip or fail on, before and after, and it lists what differs: the result, the kind, the inputs, the key of
// order_by or debounce, and what would be emitted.
//
//	c := compare.New(today, edited)
//	for _, e := range recorded {
//		for _, d := range c.Event(e) { … }
//	}
//	for _, h := range c.Handlers() { … }
//
// A handler of the new wiring with `was` is compared with the one that it renames. Values made with env() or file() are [secret] in both, so that a
// difference of secrets is not seen. Retry policies, timeouts and limits do not depend on an event, and are not compared. No goroutines; memory grows
// with the handlers, not with the events.
package compare

import (
	"slices"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/explain"
	"evrun/tasks/expression"
)

// Wiring is one side of a comparison.
type Wiring struct {
	Handlers []*tasks.Handler
	Secrets  *expression.Secrets // may be nil
	// Refuses returns why an event with this data would not be accepted, or nil.
	Refuses func(e *events.Event) error
}

// Counts are the events that a handler gets, and what it would do.
type Counts struct {
	Matches int `json:"matches"` // events of its types
	Run     int `json:"run"`     // those that it would run on
	Skip    int `json:"skip"`    // those that its when would skip
	Fail    int `json:"fail"`    // those on which it would fail before it begins
}

// Handler is a handler with its counts.
type Handler struct {
	Name   string  `json:"handler"`       // in the new wiring, if it has it
	Was    string  `json:"was,omitempty"` // its name in the old wiring, if that is another one
	Before *Counts `json:"before"`        // nil: the old wiring doesn't have it
	After  *Counts `json:"after"`         // nil: the new wiring doesn't
	Differ int     `json:"differ"`        // events with a difference
	Inputs int     `json:"inputs_differ"` // of these, those that it would run on in both wirings, with other inputs
}

// Difference is an event with which a handler would do something else. Without a Handler, the event itself is accepted by one wiring only.
type Difference struct {
	Event   *events.Event    `json:"event"`
	Handler string           `json:"handler,omitempty"`
	What    []string         `json:"what"` // in words
	Before  *explain.Handler `json:"before,omitempty"`
	After   *explain.Handler `json:"after,omitempty"`
}

// Comparison compares two wirings.
type Comparison struct {
	before, after Wiring
	handlers      []*Handler // those of the new wiring, in its order, then the others
	byOld, byNew  map[string]*Handler

	Events  int // compared
	Differ  int // of these, those with a difference
	Refused struct{ Before, After int }
}

// New compares a wiring with a new one.
func New(before, after Wiring) *Comparison {
	c := &Comparison{before: before, after: after, byOld: map[string]*Handler{}, byNew: map[string]*Handler{}}
	old := map[string]bool{}
	for _, h := range before.Handlers {
		old[h.Name] = true
	}
	isNew := map[string]bool{}
	for _, h := range after.Handlers {
		isNew[h.Name] = true
	}
	for _, h := range after.Handlers {
		row := &Handler{Name: h.Name, After: &Counts{}}
		was := h.Name
		if !old[was] && h.Was != "" && !isNew[h.Was] {
			was = h.Was
		}
		if old[was] && c.byOld[was] == nil {
			row.Before, c.byOld[was] = &Counts{}, row
			if was != h.Name {
				row.Was = was
			}
		}
		c.byNew[h.Name] = row
		c.handlers = append(c.handlers, row)
	}
	for _, h := range before.Handlers {
		if c.byOld[h.Name] == nil {
			row := &Handler{Name: h.Name, Before: &Counts{}}
			c.byOld[h.Name] = row
			c.handlers = append(c.handlers, row)
		}
	}
	return c
}

// Handlers returns the counts of all handlers.
func (c *Comparison) Handlers() []*Handler { return c.handlers }

// Same reports whether nothing differs: no handler was added or removed, and no event differs.
func (c *Comparison) Same() bool {
	return c.Differ == 0 && !slices.ContainsFunc(c.handlers, func(h *Handler) bool { return h.Before == nil || h.After == nil })
}

// Event compares one event, and returns what differs.
func (c *Comparison) Event(e *events.Event) []Difference {
	c.Events++
	was, is := map[*Handler]*explain.Handler{}, map[*Handler]*explain.Handler{}
	take := func(w Wiring, rows map[string]*Handler, to map[*Handler]*explain.Handler, counts func(*Handler) *Counts) {
		for _, h := range explain.Event(w.Handlers, e, "compare", w.Secrets).Handlers {
			row := rows[h.Name]
			to[row] = &h
			counts(row).add(&h)
		}
	}
	take(c.before, c.byOld, was, func(h *Handler) *Counts { return h.Before })
	take(c.after, c.byNew, is, func(h *Handler) *Counts { return h.After })
	var found []Difference
	if what := c.refused(e); what != "" {
		found = append(found, Difference{Event: e, What: []string{what}})
	}
	for _, row := range c.handlers {
		before, after := was[row], is[row]
		what := differences(before, after)
		if len(what) == 0 {
			continue
		}
		if row.Differ++; would(before) == "run" && would(after) == "run" {
			row.Inputs++
		}
		found = append(found, Difference{Event: e, Handler: row.Name, What: what, Before: matched(before), After: matched(after)})
	}
	if len(found) > 0 {
		c.Differ++
	}
	return found
}
