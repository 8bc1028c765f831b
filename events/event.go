package events

import (
	"encoding/json"
	"strings"
	"time"
)

// Event is a fact: CloudEvents 1.0 attributes, its number in the journal, and its place in a chain of causes.
//
// evrun sets Sequence, Chain, Cause, Hops and AcceptedAt and replaces a sender's values. In JSON, in headers and in expressions Sequence is "seq"; CloudEvents'
// "sequence" is the sender's own order, an extension like any other. Target and ReplayOf are evrun's own, too; a sender's event that has them is refused.
//
// Nobody may change a published Event: all subscribers share it.
type Event struct {
	// Sequence is the event's place in the journal, from 1; 0 until it is accepted.
	Sequence int64
	// ID and Source together identify the event: the journal accepts each pair once.
	ID     string
	Source string
	// Type says what happened, as dot-separated tokens ("user.registered").
	Type    string
	Subject string
	// Time is when it happened, in UTC, with microseconds.
	Time time.Time
	// DataContentType is the media type of Data; empty means application/json.
	DataContentType string
	DataSchema      string
	// Data is the payload as received: JSON text if IsJSON, otherwise any bytes; nil for none.
	Data json.RawMessage
	// Chain is the Sequence of the first event of the chain: the event itself, or the first of its direct and indirect causes; 0 until it is
	// accepted. Hops is the number of steps from that first event.
	Chain int64
	Hops  int
	// Cause is the Sequence of the event whose run published this one; 0 for the first of a chain. It is not written to JSON.
	Cause int64
	// Target is the name of the only handler that gets the event, if its patterns match, too; empty: every handler whose patterns match. A handler
	// that has taken over from the target gets what was accepted before. ReplayOf is the Sequence of the event that this one repeats; 0: none.
	Target   string
	ReplayOf int64
	// AcceptedAt is when the journal accepted the event, in UTC, with microseconds; zero until then. It is not written to JSON.
	AcceptedAt time.Time
	// ErasedAt is when Data, Subject and Extensions were erased; zero: they are as the sender gave them.
	ErasedAt time.Time
	// CorrelationID and CausationID come from the sender and don't affect processing. The default of CorrelationID is the event's id. An event that a
	// run emits has the CorrelationID of the run's event, and that event's ID as its CausationID.
	CorrelationID string
	CausationID   string
	// Extensions holds further CloudEvents attributes; the values are string, bool or int64.
	Extensions map[string]any

	payload *payload // the result of checking Data; nil: not checked
}

// MaxHops is the maximum length of a chain of events that cause each other. A loop in the wiring (a handler of b emits a, a handler of a emits b)
// stops at this limit instead of filling the disk.
const MaxHops = 32

// IsJSON reports whether Data is JSON text: the content type is empty, or its subtype is json or ends in +json. Case and
// parameters don't count.
func (e *Event) IsJSON() bool {
	if e.DataContentType == "" || e.DataContentType == "application/json" {
		return true
	}
	media, _, _ := strings.Cut(e.DataContentType, ";")
	_, subtype, _ := strings.Cut(strings.TrimSpace(media), "/")
	if i := strings.LastIndexByte(subtype, '+'); i >= 0 {
		subtype = subtype[i+1:]
	}
	return strings.EqualFold(subtype, "json")
}
