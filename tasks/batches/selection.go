package batches

import (
	"slices"
	"strconv"
	"time"

	"evrun/store"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/search"
)

// Selection says which runs or events, in the words of the lists' parameters; all set fields must match.
type Selection struct {
	Types   []string   `json:"type,omitempty"` // patterns
	Handler string     `json:"handler,omitempty"`
	States  []string   `json:"state,omitempty"`
	Source  string     `json:"source,omitempty"`
	Since   *time.Time `json:"since,omitempty"`
	Until   *time.Time `json:"until,omitempty"`
	Event   string     `json:"event,omitempty"` // its seq
	Chain   string     `json:"chain,omitempty"` // the seq of its first event
	Where   string     `json:"where,omitempty"`
	All     bool       `json:"all,omitempty"` // nothing else is asked for, and that is meant
}

// Empty reports whether nothing is asked for: then nothing may be done.
func (s *Selection) Empty() bool {
	return !s.All && len(s.Types)+len(s.States) == 0 && s.Handler+s.Source+s.Event+s.Chain+s.Where == "" && s.Since == nil && s.Until == nil
}

// query returns the search for what the selection says. The error is a [*RequestError].
func (s *Selection) query(a *Action) (q search.Query, err error) {
	q.Handler, q.Source = s.Handler, s.Source
	for _, name := range s.Types {
		p, err := emitter.ParsePattern(name)
		if err != nil {
			return q, wrong("type: %v", err)
		}
		q.Types = append(q.Types, p)
	}
	for name, field := range map[string]struct {
		text string
		to   *int64
	}{"event": {s.Event, &q.Event}, "chain": {s.Chain, &q.Chain}} {
		if field.text == "" {
			continue
		}
		if *field.to, err = strconv.ParseInt(field.text, 10, 64); err != nil || *field.to < 1 {
			return q, wrong("%s: %q is not the seq of an event", name, field.text)
		}
	}
	if s.Since != nil {
		q.Since = *s.Since
	}
	if s.Until != nil {
		q.Until = *s.Until
	}
	scope := expression.SelectRuns
	if a.Events {
		scope = expression.SelectEvents
	}
	if s.Where != "" {
		if q.Where, err = expression.Compile(s.Where, scope); err != nil {
			return q, wrong("where: %v", err)
		}
	}
	return q, s.states(a, &q)
}

// states reads the states of the selected runs.
func (s *Selection) states(a *Action, q *search.Query) error {
	if a.Events && (len(s.States) > 0 || s.Handler != "") {
		return wrong("handler, state: %s selects events; to names the handler", a.Name)
	}
	for _, name := range s.States {
		state, ok := store.ParseRunState(name)
		if !ok || !slices.Contains(a.States, state) {
			return wrong("state: %q; to %s, it must be one of %s", name, a.Name, stateNames(a.States))
		}
		q.States = append(q.States, state)
	}
	if len(q.States) == 0 {
		q.States = a.Usual
	}
	return nil
}
