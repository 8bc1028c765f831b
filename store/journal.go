package store

import (
	"context"
	"time"

	"evrun/events"
)

// Journal is the durable, ordered log of accepted events.
type Journal interface {
	// ID is this database's own random name, made with it: 8 characters of [a-z2-7].
	ID() string
	// Append accepts events, in order and in one transaction, and gives each new one its Sequence, and one without a Chain that
	// Sequence as its Chain (both in the Event too).
	// An event whose (source, id) is known already changes nothing: its receipt is the first one's, marked Duplicate.
	// Append keeps the events: the caller must not change them afterwards.
	Append(ctx context.Context, evs []*events.Event) ([]Receipt, error)
	// Events returns a page of the journal. One with much data (4 MiB) ends before its limit; only the end is empty.
	Events(ctx context.Context, q EventQuery) ([]*events.Event, error)
	// Event returns the event with this id (the latest, should several sources use it), or [ErrNotFound].
	Event(ctx context.Context, id string) (*events.Event, error)
	// Head is the sequence of the last accepted event, whether or not it is still stored; 0 before the first.
	Head(ctx context.Context) (int64, error)
}

// Receipt is the journal's answer for one event.
type Receipt struct {
	Sequence  int64
	Duplicate bool
}

// EventQuery selects events. The zero value is the first page of everything.
type EventQuery struct {
	After      int64            // only events with a greater sequence
	Before     int64            // only events with a smaller sequence; 0: no bound
	Since      time.Time        // only events accepted at or after; zero: no bound
	Patterns   []events.Pattern // only events whose type matches one; none: all
	Chain      int64            // only the event with this sequence, and those that it caused, near or far; 0: all
	ID, Source string           // with both, only the one event that they name
	// WithoutRun, when not 0, leaves out the events that the handler of this number has a run for.
	WithoutRun HandlerID
	// Sequences, when not nil, takes only the events with one of these.
	Sequences []int64
	// Last takes the last Limit events of the selection instead of the first; they still come in ascending order.
	Last  bool
	Limit int // at most so many; 0: 1,000
	// MaxBytes ends a page that has so much data, with the event that fills it; 0: 4 MiB.
	MaxBytes int
}
