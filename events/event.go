package events

import (
	"encoding/json"
	"strings"
	"time"
)

// Event is a fact: CloudEvents 1.0 attributes, the number that the journal gave it, and its place in a chain of causes.
//
// Sequence, Chain, Cause and Hops are evrun's own: a sender's values are replaced. In JSON, in headers and in expressions
// Sequence is "seq"; CloudEvents' "sequence" is the sender's own order, an extension like any other.
//
// An Event that was published must not be changed: subscribers share it.
type Event struct {
	// Sequence is the event's place in the journal, from 1; 0 until it is accepted.
	Sequence int64
	// ID and Source together name the event: the journal accepts a pair once.
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
	// Data is the payload as it came: JSON text when IsJSON, else any bytes; nil for none.
	Data json.RawMessage
	// Chain is the Sequence of the first event of the chain: of the event itself, or of the one that caused it, near or far;
	// 0 until it is accepted. Hops is the distance to that one.
	Chain int64
	Hops  int
	// Cause is the Sequence of the event whose run published this one; 0 for the first of a chain. It is in no JSON.
	Cause int64
	// CorrelationID and CausationID are the sender's, and decide nothing. An event that came without the first has its own id;
	// one that a run emits has its parent's CorrelationID, and the parent's ID as CausationID.
	CorrelationID string
	CausationID   string
	// Extensions holds further CloudEvents attributes; the values are string, bool or int64.
	Extensions map[string]any

	payload *payload // the result of checking Data; nil: it was not checked
}

// MaxHops is the longest chain of events that cause each other. A wiring with a loop in it (a handler of b emits a, a
// handler of a emits b) reaches it within a moment, and ends there instead of filling the disk.
const MaxHops = 32

// IsJSON says whether Data is JSON text: the content type is empty, or its subtype is json or ends in +json. Case and
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
