package queue

import (
	"context"
	"errors"
	"fmt"

	"evrun/events"
	"evrun/store"
)

// The limits of a follower's memory: its live buffer and one page of the journal.
const (
	followBuffer = 1024
	followPage   = 512
)

// follower returns the events that match its patterns, each once, in order of sequence, without gaps. They come from the bus while its reader keeps
// up, and from the journal while it doesn't. A slow reader delays nobody else.
//
// It subscribes first and then reads the journal up to the head, so an event that is committed in between is in at least one of the two. It drops
// sequences that it has already returned.
type follower struct {
	journal  Journal
	bus      *events.Bus
	patterns []events.Pattern
	skip     store.HandlerID // leave out events for which this handler has a run...
	skipTo   int64           // ...up to this sequence

	buffer, limit int // followBuffer and followPage

	after int64 // the last returned sequence
	sub   *events.Subscription[*events.Event]
	next  *events.Event // received, not yet returned
	page  []*events.Event
	live  bool // the journal was read to its end after subscribing
}

// newFollower returns a follower of the events after a sequence.
func newFollower(journal Journal, bus *events.Bus, after int64, patterns []events.Pattern) follower {
	return follower{journal: journal, bus: bus, after: after, patterns: patterns, buffer: followBuffer, limit: followPage}
}

// close ends the subscription.
func (f *follower) close() {
	if f.sub != nil {
		f.sub.Unsubscribe()
	}
}

// poll returns the next event, or nil if there is none yet: then wait for c.
func (f *follower) poll(ctx context.Context) (*events.Event, error) {
	for {
		if e := f.next; e != nil {
			f.next, f.after = nil, e.Sequence
			return e, nil
		}
		if len(f.page) > 0 {
			e := f.page[0]
			f.page[0] = nil
			f.page = f.page[1:]
			f.after = e.Sequence
			return e, nil
		}
		if !f.live {
			if err := f.read(ctx); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case e, ok := <-f.sub.C():
			if err := f.received(e, ok); err != nil {
				return nil, err
			}
		default:
			return nil, nil
		}
	}
}

// read fetches a page. An empty page means the journal's end. The first time, read then subscribes and reads again; the second time, the follower is
// live.
func (f *follower) read(ctx context.Context) error {
	q := store.EventQuery{After: f.after, Patterns: f.patterns, Limit: f.limit}
	if f.after < f.skipTo {
		q.WithoutRun = f.skip
	}
	page, err := f.journal.Events(ctx, q)
	if err != nil {
		return fmt.Errorf("read on from the journal: %w", err)
	}
	if f.page = page; len(page) > 0 {
		return nil
	}
	if f.sub == nil {
		f.sub = f.bus.Subscribe(f.buffer, f.patterns...)
	} else {
		f.live = true
	}
	return nil
}

// c is the channel of the next live event, after poll returned none. Pass the value read from it to received.
func (f *follower) c() <-chan *events.Event {
	if !f.live || f.next != nil {
		return nil
	}
	return f.sub.C()
}

// received takes an event read from c; poll returns it. received drops repeated events, and switches back to the journal if the subscription has
// ended because it lagged.
func (f *follower) received(e *events.Event, ok bool) error {
	if !ok {
		err := f.sub.Err()
		if f.sub, f.live = nil, false; errors.Is(err, events.ErrLagged) {
			return nil
		}
		return err
	}
	if e.Sequence > f.after {
		f.next = e
	}
	return nil
}

// idle reports whether poll has returned every matching event up to the returned sequence.
func (f *follower) idle() (upTo int64, ok bool) {
	if !f.live || f.next != nil || len(f.page) > 0 {
		return 0, false
	}
	head := f.bus.Head() // read before the channel is checked: events up to the head are already in the channel
	if len(f.sub.C()) > 0 || f.sub.Err() != nil {
		return 0, false
	}
	return max(head, f.after, f.skipTo), true // events from before the start have been read from the journal
}

// reached reports whether poll has returned every matching event up to a sequence.
func (f *follower) reached(sequence int64) bool {
	if f.after >= sequence {
		return true
	}
	upTo, ok := f.idle()
	return ok && upTo >= sequence
}
