package search

import (
	"context"
	"fmt"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// Selection is a query as people and programs write it: in flags, in the parameters of lists, and in the JSON of a batch. Types and States may have
// several in one text, with commas.
type Selection struct {
	Types   []string `json:"type,omitempty"`
	Handler string   `json:"handler,omitempty"`
	// Handlers are those that have the Labels, which must be replaced by them before a query is made: only the wiring knows labels.
	Handlers []string  `json:"handlers,omitempty"`
	Labels   []string  `json:"label,omitempty"`
	States   []string  `json:"state,omitempty"`
	Source   string    `json:"source,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Where    string    `json:"where,omitempty"`
	IDs      []string  `json:"run,omitempty"`   // of runs: those with these ids, in full
	Event    string    `json:"event,omitempty"` // as [Event] resolves it
	Chain    string    `json:"chain,omitempty"` // any event of the chain, as [Event] resolves it
}

// maxRuns is how many runs a selection names.
const maxRuns = 500

// All reports whether nothing narrows the selection down.
func (s *Selection) All() bool {
	return len(s.Types) == 0 && s.Handler == "" && len(s.Handlers) == 0 && len(s.Labels) == 0 && len(s.States) == 0 && s.Source == "" && s.Since.IsZero() && s.Until.IsZero() &&
		s.Where == "" && len(s.IDs) == 0 && s.Event == "" && s.Chain == ""
}

// SelectionError says what is wrong with a part of a [Selection].
type SelectionError struct {
	Name string // of the part, as in JSON
	Err  error
}

func (e *SelectionError) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *SelectionError) Unwrap() error { return e.Err }

// CheckEvents returns what is wrong with a selection of events, as far as no store is needed to know. It is a [*SelectionError].
func (s *Selection) CheckEvents() error {
	_, err := s.parseEvents()
	return err
}

// CheckRuns is [Selection.CheckEvents] for runs.
func (s *Selection) CheckRuns() error {
	_, err := s.parse(expression.SelectRuns)
	return err
}

// Events makes the query of a selection of events. The error is a [*SelectionError], one of [Event] or the store's.
func (s *Selection) Events(ctx context.Context, j store.Journal) (Query, error) {
	q, err := s.parseEvents()
	if err != nil {
		return q, err
	}
	return q, s.resolve(ctx, j, &q)
}

// Runs is [Selection.Events] for runs.
func (s *Selection) Runs(ctx context.Context, j store.Journal) (Query, error) {
	q, err := s.parse(expression.SelectRuns)
	if err == nil && len(s.Labels) > 0 {
		err = &SelectionError{"label", fmt.Errorf("nothing here knows labels; name handlers")}
	}
	if err != nil {
		return q, err
	}
	return q, s.resolve(ctx, j, &q)
}

// parseEvents is parse for a selection of events.
func (s *Selection) parseEvents() (Query, error) {
	q, err := s.parse(expression.SelectEvents)
	switch {
	case err != nil:
		return q, err
	case s.Handler != "":
		return q, &SelectionError{"handler", fmt.Errorf("events have none; runs have")}
	case len(s.Handlers)+len(s.Labels) > 0:
		return q, &SelectionError{"label", fmt.Errorf("events have none; handlers have, and so have their runs")}
	case len(s.IDs) > 0:
		return q, &SelectionError{"run", fmt.Errorf("events have none; name events")}
	case len(s.States) > 0:
		return q, &SelectionError{"state", fmt.Errorf("events have none; runs have")}
	}
	return q, nil
}

// parse makes the query of everything but the names of events.
func (s *Selection) parse(scope expression.Scope) (q Query, err error) {
	q = Query{IDs: s.IDs, Handler: s.Handler, Handlers: s.Handlers, Source: s.Source, Since: s.Since, Until: s.Until}
	if len(s.IDs) > maxRuns {
		return q, &SelectionError{"run", fmt.Errorf("at most %d runs can be named", maxRuns)}
	}
	for _, id := range s.IDs {
		if _, _, _, err := store.ParseRunID(id); err != nil {
			return q, &SelectionError{"run", err}
		}
	}
	for _, text := range split(s.Types) {
		p, err := emitter.ParsePattern(text)
		if err != nil {
			return q, &SelectionError{"type", err}
		}
		q.Types = append(q.Types, p)
	}
	for _, name := range split(s.States) {
		state, ok := store.ParseRunState(name)
		if !ok {
			hint := fault.DidYouMean(name, StateNames())
			if hint == "" {
				hint = "must be " + fault.Or(StateNames())
			}
			return q, &SelectionError{"state", fmt.Errorf("%s is not a state of a run; %s", fault.Quote(name), hint)}
		}
		q.States = append(q.States, state)
	}
	if !s.Since.IsZero() && !s.Until.IsZero() && !s.Since.Before(s.Until) {
		return q, &SelectionError{"until", fmt.Errorf("%s is not after since, %s", s.Until.Format(time.RFC3339), s.Since.Format(time.RFC3339))}
	}
	if s.Where != "" {
		if q.Where, err = expression.Compile(s.Where, scope); err != nil {
			return q, &SelectionError{"where", err}
		}
	}
	return q, nil
}

// StateNames are the names of states; none: of all states that runs can be selected by.
func StateNames(states ...store.RunState) (names []string) {
	if len(states) == 0 {
		states = []store.RunState{store.Waiting, store.Running, store.Retrying, store.Succeeded, store.Skipped, store.Dead, store.Dropped, store.Cancelled}
	}
	for _, state := range states {
		names = append(names, state.String())
	}
	return names
}

func split(lists []string) (all []string) {
	for _, list := range lists {
		for text := range strings.SplitSeq(list, ",") {
			if text = strings.TrimSpace(text); text != "" {
				all = append(all, text)
			}
		}
	}
	return all
}

// resolve finds the events that are named.
func (s *Selection) resolve(ctx context.Context, j store.Journal, q *Query) error {
	for _, name := range []struct {
		text string
		to   *int64
		of   func(*events.Event) int64
	}{
		{s.Event, &q.Event, func(e *events.Event) int64 { return e.Sequence }},
		{s.Chain, &q.Chain, func(e *events.Event) int64 { return e.Chain }},
	} {
		if name.text == "" {
			continue
		}
		e, err := Event(ctx, j, name.text)
		if err != nil {
			return err
		}
		*name.to = name.of(e)
	}
	return nil
}
