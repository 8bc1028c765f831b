package api

import (
	"net/http"
	"strconv"
	"time"

	"evrun/events"
)

// The JSON shapes of several routes. Those of one resource are in its file; package events writes events.

// Receipt answers an accepted event.
type Receipt struct {
	ID        string `json:"id"`
	Source    string `json:"source"`
	Sequence  int64  `json:"seq,string"`
	Duplicate bool   `json:"duplicate"`

	// Of an event that was sent with ?matches=true.
	Matches *bool  `json:"matches,omitempty"` // a handler is wired to it, or its type is final
	Hint    string `json:"hint,omitempty"`    // without one, a type that may have been meant
}

// appendJSON appends the same JSON as events.MarshalJSON, without Matches and Hint, much faster for usual ids and sources.
func (r Receipt) appendJSON(dst []byte) []byte {
	dst = events.AppendJSONText(append(dst, `{"id":`...), r.ID)
	dst = events.AppendJSONText(append(dst, `,"source":`...), r.Source)
	dst = strconv.AppendInt(append(dst, `,"seq":"`...), r.Sequence, 10)
	dst = strconv.AppendBool(append(dst, `","duplicate":`...), r.Duplicate)
	return append(dst, '}')
}

// End closes the answer to an emit that waits.
type End struct {
	Matched bool `json:"matched"` // a handler matched an event of the chain
	Dead    bool `json:"dead"`    // a run is dead
	// Cancelled says that a run was cancelled: the chain did not succeed.
	Cancelled bool `json:"cancelled,omitempty"`
	Timeout   bool `json:"timeout,omitempty"` // the time ran out before all runs had ended
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// list is an answer with a list under a name.
func list[T any](name string, items []T) map[string]any {
	if items == nil {
		items = []T{}
	}
	return map[string]any{name: items}
}

// labeledList is list for what has some labels; hint says why it is empty.
func labeledList[T any](name string, items []T, hint string) map[string]any {
	answer := list(name, items)
	if hint != "" {
		answer["hint"] = hint
	}
	return answer
}

// labelsOf reads the parameter label: KEY=VALUE, or KEY; several must all match.
func labelsOf(r *http.Request) []string { return r.URL.Query()["label"] }

// shaped converts each item of a list.
func shaped[T, Shape any](list []T, of func(T) Shape) []Shape {
	out := make([]Shape, len(list))
	for i, item := range list {
		out[i] = of(item)
	}
	return out
}
