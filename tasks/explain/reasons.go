package explain

import (
	"fmt"
	"strings"
	"sync"

	"evrun/events"
	"evrun/tasks/expression"
)

// Reasons says of skipped runs which part of the condition was false, from the text of the condition and the event: the store keeps no more. It keeps
// the last conditions compiled. The zero value is ready; it is safe for concurrent use.
type Reasons struct {
	Redact func(text string) string // removes secrets; nil: there are none

	mu    sync.Mutex
	known map[string]*condition // by text
}

// condition is a compiled condition, or why it can't be compiled any more.
type condition struct {
	expr *expression.Explained
	err  error
}

const (
	maxReasons = 256 // conditions that are kept compiled
	maxParts   = 3   // parts that a reason names
	maxText    = 120 // characters of a condition or a part in a reason
	maxValue   = 60  // characters of a value
)

// Skipped says why a condition was false in the environment of an event, which all its conditions share; nil: the event is not known any more.
func (r *Reasons) Skipped(when string, env *expression.Env) string {
	text := "when: " + shorten(when, maxText)
	if env == nil {
		return text + " was false"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.condition(when)
	parts, value, err := c.evaluate(env)
	switch {
	case err != nil:
		text += " was false, and can't be evaluated any more: " + err.Error()
	case value:
		text += " was false, and is true today"
	case len(parts) == 0:
		text += " is false"
	default:
		text = "when: " + sentence(parts)
	}
	if r.Redact != nil {
		text = r.Redact(text)
	}
	return text
}

// Condition returns the value of a condition in the environment of an event, with the parts that decided it. It shows what the store keeps of a skipped run.
func (r *Reasons) Condition(when string, env *expression.Env) *When {
	w := &When{Text: when}
	r.mu.Lock()
	c := r.condition(when)
	parts, value, err := c.evaluate(env)
	r.mu.Unlock()
	if w.Value = value; err != nil {
		w.Error = err.Error()
	}
	w.Why = parts
	if r.Redact != nil {
		w.Text, w.Error = r.Redact(w.Text), r.Redact(w.Error)
		for i, part := range w.Why {
			w.Why[i].Text = r.Redact(part.Text)
			for j, read := range part.Reads {
				if text, err := events.MarshalJSON(read.Value); err == nil && r.Redact(string(text)) != string(text) {
					part.Reads[j].Value = r.Redact(string(text))
				}
			}
		}
	}
	return w.Brief()
}

// maxShown is how many characters of the JSON of a value [When.Brief] keeps.
const maxShown = 1000

// Brief replaces long values that the parts read by the beginnings of their JSON, which end with …: many handlers may read all the data of an event.
func (w *When) Brief() *When {
	if w == nil {
		return nil
	}
	for _, part := range w.Why {
		for i, read := range part.Reads {
			if text, err := events.MarshalJSON(read.Value); err == nil && len(text) > maxShown {
				part.Reads[i].Value = shorten(string(text), maxShown)
			}
		}
	}
	return w
}

func (r *Reasons) condition(when string) *condition {
	c := r.known[when]
	if c == nil {
		if len(r.known) >= maxReasons || r.known == nil {
			r.known = map[string]*condition{}
		}
		c = &condition{}
		x, err := expression.Compile(when, expression.HandlerWhen)
		if err != nil {
			c.err = err
		} else {
			c.expr = x.Explained()
		}
		r.known[when] = c
	}
	return c
}

// evaluate returns the value of the condition, and the parts that decided it.
func (c *condition) evaluate(env *expression.Env) (parts []expression.Part, value bool, err error) {
	if c.err != nil {
		return nil, false, c.err
	}
	defer func() {
		if p := recover(); p != nil { // as in the worker
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if value, err = c.expr.Bool(env); err != nil {
		return nil, false, err
	}
	return c.expr.Why(env), value, nil
}

// sentence is "data.total > 100 is false: data.total is 42; data.test is true".
func sentence(parts []expression.Part) string {
	var b strings.Builder
	for i, part := range parts {
		if i == maxParts && len(parts) > maxParts+1 {
			fmt.Fprintf(&b, "; and %d more", len(parts)-maxParts)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s is %v", shorten(part.Text, maxText), part.Value)
		for j, read := range part.Reads {
			text, err := events.MarshalJSON(read.Value)
			if err != nil {
				text = []byte("?")
			}
			fmt.Fprintf(&b, "%s %s is %s", [2]string{":", ","}[min(j, 1)], read.Text, shorten(string(text), maxValue))
		}
	}
	return b.String()
}

// shorten is a text of one line with at most so many characters.
func shorten(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
