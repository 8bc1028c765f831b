// Package shape has the JSON shapes of the HTTP API: what its requests take and its answers give, and what they are made of. The server, the
// parts of it with packages of their own, and the client know them; package api gives them under its own name, too.
//
// A shape is a struct with json tags. XOf makes the shape of a stored X. An error is a [Problem], and [ProblemOf] is the only table from errors to statuses.
package shape

import (
	"strconv"
	"time"

	"evrun/events"
)

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

// AppendJSON appends the same JSON as events.MarshalJSON, without Matches and Hint, much faster for usual ids and sources.
func (r Receipt) AppendJSON(dst []byte) []byte {
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

// TimeOf is a time of a shape: in UTC; nil for the zero time.
func TimeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Each converts each item of a list.
func Each[T, Shape any](list []T, of func(T) Shape) []Shape {
	out := make([]Shape, len(list))
	for i, item := range list {
		out[i] = of(item)
	}
	return out
}
