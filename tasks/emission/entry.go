package emission

import (
	"fmt"
	"strings"

	"evrun/tasks/expression"
)

// Entry is an entry of a handler's emit, or its on_dead: an event that a run emits.
type Entry struct {
	Type    *expression.Template
	Subject *expression.Template // nil: none
	Data    *expression.Value    // nil: the handler's result or, in on_dead, the failure; with ForEach, the element
	ForEach *expression.List     // one event for each element of the list; nil: one event
}

// Draft is the part of an event that a kind or an [Entry] decides; the runner fills in the rest. Data is any value that marshals to JSON.
type Draft struct {
	Type    string
	Subject string
	Data    any
}

// WithEvents is a result with events, which are accepted in the transaction that settles the run. Result is the handler's own result.
type WithEvents struct {
	Events  []Draft
	ForEach bool // a list decides how many events there are
	Result  any
}

// bind evaluates the parts of an entry that depend neither on the result nor on the failure.
func (en *Entry) bind(env *expression.Env, b *expression.Budget) (bound Entry, err error) {
	if bound.Type, err = en.Type.Bind(env, b); err != nil {
		return bound, fmt.Errorf("type: %w", err)
	}
	if bound.Subject, err = en.Subject.Bind(env, b); err != nil {
		return bound, fmt.Errorf("subject: %w", err)
	}
	if bound.Data, err = en.Data.Bind(env, b); err != nil {
		return bound, fmt.Errorf("data: %w", err)
	}
	bound.ForEach = en.ForEach
	return bound, nil
}

func (en *Entry) usesResult() bool {
	return en.ForEach != nil && en.ForEach.UsesResult() || en.partUsesResult()
}

func (en *Entry) partUsesResult() bool {
	return en.Type.UsesResult() || en.Subject.UsesResult() || en.Data.UsesResult()
}

// draft evaluates an entry. data is the default for its data.
func (en *Entry) draft(env *expression.Env, data any) (what Draft, err error) {
	what.Data = data
	if what.Type, err = en.Type.Text(env); err != nil {
		return what, fmt.Errorf("type: %w", err)
	}
	if en.Subject != nil {
		if what.Subject, err = en.Subject.Text(env); err != nil {
			return what, fmt.Errorf("subject: %w", err)
		}
	}
	if en.Data != nil {
		if what.Data, err = en.Data.Eval(env); err != nil {
			return what, fmt.Errorf("data: %w", err)
		}
	}
	return what, nil
}

// ScopeFor returns the word for the scope of an event's keys, from the word for the scope around it and its keys: see [fields.Scoped].
func ScopeFor(scope string, given map[string]any) string {
	if given["for_each"] == nil {
		return strings.TrimSuffix(scope, expression.Each)
	}
	return strings.TrimSuffix(scope, expression.Each) + expression.Each
}
