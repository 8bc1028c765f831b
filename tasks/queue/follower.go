package queue

import (
	"context"
	"errors"
	"fmt"

	"evrun/events"
	"evrun/store"
)

// How much a follower holds in memory at most: its live buffer, and one page of the journal.
const (
	followBuffer = 1024
	followPage   = 512
)

// follower gives the events that match its patterns, each once, in order of sequence: from the bus while its reader keeps
// up, from the journal when it doesn't, and back again, without a gap or a repeat. A slow reader costs nobody anything.
//
// It subscribes first and reads the journal up to the head afterwards, so whatever is committed in between is in at least
// one of the two. It drops sequences that it has given already.
type follower struct {
	journal  Journal
	bus      *events.Bus
	patterns []events.Pattern
	skip     store.HandlerID // leaves out events for which this handler has a run...
	skipTo   int64           // ...up to this sequence

	buffer, limit int // followBuffer and followPage

	after int64 // the last sequence that was given
	sub   *events.Subscription[*events.Event]
	next  *events.Event // received, and not given yet
	page  []*events.Event
	live  bool // the journal was read to its end after subscribing
}

// newFollower follows the events after a sequence.
func newFollower(journal Journal, bus *events.Bus, after int64, patterns []events.Pattern) follower {
	return follower{journal: journal, bus: bus, after: after, patterns: patterns, buffer: followBuffer, limit: followPage}
}

// close ends the subscription.
func (f *follower) close() {
	if f.sub != nil {
		f.sub.Unsubscribe()
	}
}

// poll gives the next event, or nil when there is none yet: then wait for c.
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

// read fetches a page. An empty one is the journal's end: the first time it subscribes and looks again, then it is live.
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

// c is where the next live event comes from, after poll gave none. Hand what is read from it to received.
func (f *follower) c() <-chan *events.Event {
	if !f.live || f.next != nil {
		return nil
	}
	return f.sub.C()
}

// received takes what was read from c, for poll to give. It drops a repeat, and goes back to the journal at the end of a
// subscription that has lagged.
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

// idle says that every matching event up to the sequence returned was given.
func (f *follower) idle() (upTo int64, ok bool) {
	if !f.live || f.next != nil || len(f.page) > 0 {
		return 0, false
	}
	head := f.bus.Head() // before the look into the channel: the events up to it are in there already
	if len(f.sub.C()) > 0 || f.sub.Err() != nil {
		return 0, false
	}
	return max(head, f.after, f.skipTo), true // events from before the start have been read from the journal
}

// reached says that every matching event up to the sequence was given.
func (f *follower) reached(sequence int64) bool {
	if f.after >= sequence {
		return true
	}
	upTo, ok := f.idle()
	return ok && upTo >= sequence
}
