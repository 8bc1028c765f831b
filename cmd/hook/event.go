package hook

import (
	"fmt"

	"evrun/events"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/expression/format"
)

// maxWork is what the expressions of one request may take together, in steps.
const maxWork = 2_000_000

func newBudget() *expression.Budget {
	return expression.NewBudget(maxWork, "a request to a hook may take", "compute in a handler of the event")
}

// event makes the event of a request; nil if the hook's when is false. Its errors are those of the hook's expressions.
func (h *Hook) event(env *expression.Env, q *request) (*events.Event, error) {
	if h.When != nil {
		if ok, err := h.When.Bool(env); err != nil {
			return nil, fmt.Errorf("when: %w", err)
		} else if !ok {
			return nil, nil
		}
	}
	e := &events.Event{Source: h.Path(), ID: h.Verify.ID(q.header)}
	for _, part := range []struct {
		key  string
		from *expression.Template
		to   *string
	}{{"type", h.Type, &e.Type}, {"id", h.ID, &e.ID}, {"source", h.Source, &e.Source}, {"subject", h.Subject, &e.Subject}} {
		if part.from == nil {
			continue
		}
		read := part.from.Text
		if part.key == "type" { // else a list of the body would be a type with brackets
			read = part.from.Word
		}
		text, err := read(env)
		if err == nil && text == "" && part.key != "subject" {
			err = fmt.Errorf("it is empty")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.key, err)
		}
		*part.to = text
	}
	if err := h.setTime(e, env); err != nil {
		return nil, fmt.Errorf("time: %w", err)
	}
	if err := h.setData(e, env, q); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	return e, nil
}

func (h *Hook) setTime(e *events.Event, env *expression.Env) error {
	if h.Time == nil {
		return nil
	}
	v, err := h.Time.Eval(env)
	if err != nil {
		return err
	}
	t, ok := format.TimeOf(v)
	if !ok {
		return fmt.Errorf("%s is not a time: it needs a text such as 2026-12-24T18:00:00Z, or seconds since 1970", format.Describe(v))
	}
	e.Time = t
	return nil
}

func (h *Hook) setData(e *events.Event, env *expression.Env, q *request) (err error) {
	if h.Data == nil {
		e.Data, e.DataContentType, err = q.body.data()
		return err
	}
	v, err := h.Data.Eval(env)
	if err == nil {
		err = env.Budget().SpendOn(v)
	}
	if err != nil {
		return err
	}
	e.Data, err = emitter.MarshalData(v)
	return err
}
