package store

import (
	"context"
	"time"

	"evrun/events"
)

// Journal is the durable, ordered log of accepted events.
type Journal interface {
	// ID is the random name that the database got when it was created: 8 characters of [a-z2-7].
	ID() string
	// Append accepts events, in order and in one transaction. It sets each new event's Sequence, and an empty Chain to that Sequence, in the Event as
	// well. An event whose (source, id) is already known, also from the same call, changes nothing: its receipt is that of the first event, marked Duplicate.
	// Sequences grow by one, but where several processes append the same event at the same time, one may stay unused. An event whose Target is not an active handler is refused with [ErrNotActive], and with it the call.
	// Append keeps the events: the caller must not change them afterwards.
	Append(ctx context.Context, evs []*events.Event) ([]Receipt, error)
	// Events returns a page of the journal. A page with much data (4 MiB) has fewer events than its limit. Only an empty page means the end.
	Events(ctx context.Context, q EventQuery) ([]*events.Event, error)
	// ScanEvents is a step of a search: like Events, but it ends after about look sequences of the journal, too. With Last, the newest event comes
	// first. See [Part].
	ScanEvents(ctx context.Context, q EventQuery, look int) (Part[*events.Event], error)
	// Event returns the event with this id, the latest if several sources use it, or [ErrNotFound].
	Event(ctx context.Context, id string) (*events.Event, error)
	// Types returns the types of the stored events from one on, in the order of their bytes; limit is how many at most. A type may be named a while
	// longer than there are events of it, and of very many types some may be missing.
	Types(ctx context.Context, from string, limit int) ([]string, error)
	// Head is the sequence of the last accepted event, whether or not it is still stored; 0 before the first.
	Head(ctx context.Context) (int64, error)
	// AcceptedAt returns when the first stored event with at least this sequence was accepted, or [ErrNotFound].
	AcceptedAt(ctx context.Context, sequence int64) (time.Time, error)
}

// EventsOf reads the stored events with these sequences, in order, page by page.
func EventsOf(ctx context.Context, from interface {
	Events(ctx context.Context, q EventQuery) ([]*events.Event, error)
}, sequences []int64) (list []*events.Event, err error) {
	if len(sequences) == 0 {
		return nil, nil
	}
	return AllEvents(ctx, from, EventQuery{Sequences: sequences})
}

// AllEvents reads all events of a query, in order, page by page.
func AllEvents(ctx context.Context, from interface {
	Events(ctx context.Context, q EventQuery) ([]*events.Event, error)
}, q EventQuery) (list []*events.Event, err error) {
	for ; ; q.After = list[len(list)-1].Sequence {
		page, err := from.Events(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			return list, nil
		}
		list = append(list, page...)
	}
}

// Receipt is the journal's answer for one event.
type Receipt struct {
	Sequence  int64
	Duplicate bool
}

// EventQuery selects events; all set fields must match. The zero value is the first page of everything.
type EventQuery struct {
	After      int64            // only events with a greater sequence
	Before     int64            // only events with a smaller sequence; 0: no bound
	Since      time.Time        // only events from the first one on that was accepted at or after this time; zero: no bound
	Until      time.Time        // only events before the first one that was accepted at or after this time; zero: no bound
	Patterns   []events.Pattern // only events whose type matches one; none: all
	Source     string           // only events with this source; empty: all
	Chain      int64            // only the event with this sequence and those that it caused, directly or not; 0: all
	ID         string           // only events with this id; empty: all
	WithoutRun HandlerID        // not those for which the handler with this ID has a run; 0: all
	Sequences  []int64          // only events with one of these sequences; nil: all
	TakenBy    *Consumer        // not those that are for other handlers alone, see [Consumer.Takes]; nil: all
	Slots      Slots            // only events whose sequence is in one of these slots, see [SlotOf]; 0: all
	// Holding lists texts: an event whose data has no string that contains one of the texts of each list may be left out. Other events must not be.
	Holding [][]string
	// DataOnly says that the events need only their Sequence and Data, and a DataContentType that says whether it is JSON. The rest may be missing.
	DataOnly bool
	// Last selects the last Limit events instead of the first; they still come in ascending order.
	Last  bool
	Limit int // the maximum number; 0: 1,000
	// MaxBytes ends a page with the event that brings its data to this size; 0: 4 MiB.
	MaxBytes int
}
