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

	old, changed *tasks.Handler // of the two wirings; nil: it doesn't have it
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

	Events  int // compared
	Differ  int // of these, those with a difference
	Refused struct{ Before, After int }
}

// New compares a wiring with a new one.
func New(before, after Wiring) *Comparison {
	c := &Comparison{before: before, after: after}
	old, taken := map[string]*tasks.Handler{}, map[string]bool{}
	for _, h := range before.Handlers {
		old[h.Name] = h
	}
	isNew := map[string]bool{}
	for _, h := range after.Handlers {
		isNew[h.Name] = true
	}
	for _, h := range after.Handlers {
		row := &Handler{Name: h.Name, After: &Counts{}, changed: h}
		was := h.Name
		if old[was] == nil && h.Was != "" && !isNew[h.Was] {
			was = h.Was
		}
		if old[was] != nil && !taken[was] {
			row.Before, row.old, taken[was] = &Counts{}, old[was], true
			if was != h.Name {
				row.Was = was
			}
		}
		c.handlers = append(c.handlers, row)
	}
	for _, h := range before.Handlers {
		if !taken[h.Name] {
			c.handlers = append(c.handlers, &Handler{Name: h.Name, Before: &Counts{}, old: h})
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
func (c *Comparison) Event(e *events.Event) (found []Difference) {
	_ = c.Each(e, func(d Difference) error {
		if len(d.What) > 0 {
			found = append(found, d)
		}
		return nil
	})
	return found
}

// Each compares one event, and calls each for each handler; What is empty if it does the same. Only one handler's inputs are in memory at a time. An error of
// each ends it, and the event does not count as compared.
func (c *Comparison) Each(e *events.Event, each func(Difference) error) error {
	differ, env := false, expression.NewEnv(e)
	if what := c.refused(e); what != "" {
		differ = true
		if err := each(Difference{Event: e, What: []string{what}}); err != nil {
			return err
		}
	}
	for _, row := range c.handlers {
		env = env.Again() // what was decoded is kept
		before := explained(row.old, e, env, c.before, row.Before)
		env = env.Again()
		after := explained(row.changed, e, env, c.after, row.After)
		d := Difference{Event: e, Handler: row.Name, What: differences(before, after)}
		if len(d.What) > 0 {
			if row.Differ++; would(before) == "run" && would(after) == "run" {
				row.Inputs++
			}
			differ, d.Before, d.After = true, matched(before), matched(after)
		}
		if err := each(d); err != nil {
			return err
		}
	}
	if c.Events++; differ {
		c.Differ++
	}
	return nil
}

// explained is what a handler of a wiring would do, counted; nil if the wiring doesn't have it.
func explained(h *tasks.Handler, e *events.Event, env *expression.Env, w Wiring, counts *Counts) *explain.Handler {
	if h == nil {
		return nil
	}
	told := explain.One(h, e, env, "compare", w.Secrets)
	counts.add(&told)
	return &told
}
