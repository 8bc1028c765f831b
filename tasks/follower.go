package tasks

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

// Follower gives the events that match its patterns, each once, in order of sequence: from the bus while its reader keeps
// up, from the journal when it doesn't, and back again, without a gap or a repeat. A slow reader costs nobody anything.
//
// It subscribes first and reads the journal up to the head afterwards, so whatever is committed in between is in at least
// one of the two; sequences that it has given already are dropped. Not safe for concurrent use.
type Follower struct {
	journal  store.Journal
	bus      *events.Bus
	patterns []events.Pattern
	skip     store.HandlerID // leaves out what this handler has a run for...
	skipTo   int64           // ...up to this sequence

	buffer, limit int // followBuffer and followPage

	after int64 // the last sequence that was given
	sub   *events.Subscription[*events.Event]
	page  []*events.Event
	live  bool // the journal was read to its end after subscribing
}

// NewFollower follows the events after a sequence. No patterns: all of them.
func NewFollower(journal store.Journal, bus *events.Bus, after int64, patterns ...events.Pattern) *Follower {
	if len(patterns) == 0 {
		patterns = []events.Pattern{events.MustPattern(">")}
	}
	return &Follower{journal: journal, bus: bus, after: after, patterns: patterns, buffer: followBuffer, limit: followPage}
}

// After is the sequence of the last event that was given.
func (f *Follower) After() int64 { return f.after }

// Close ends the subscription.
func (f *Follower) Close() {
	if f.sub != nil {
		f.sub.Unsubscribe()
	}
}

// Next waits for the next event. The error is the journal's, ctx's, or [events.ErrBusClosed].
func (f *Follower) Next(ctx context.Context) (*events.Event, error) {
	for {
		e, err := f.poll(ctx)
		if e != nil || err != nil {
			return e, err
		}
		select {
		case e, ok := <-f.C():
			if e, err := f.received(e, ok); e != nil || err != nil {
				return e, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// poll gives the next event, or nil when there is none yet: then C is to be waited for.
func (f *Follower) poll(ctx context.Context) (*events.Event, error) {
	for {
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
			if e, err := f.received(e, ok); e != nil || err != nil {
				return e, err
			}
		default:
			return nil, nil
		}
	}
}

// read fetches a page. An empty one is the journal's end: the first time it subscribes and looks again, then it is live.
func (f *Follower) read(ctx context.Context) error {
	q := store.EventQuery{After: f.after, Patterns: f.patterns, Limit: f.limit}
	if f.after < f.skipTo {
		q.Unsettled = f.skip
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

// C is where the next live event comes from, after poll gave none. What is read from it goes to received.
func (f *Follower) C() <-chan *events.Event {
	if !f.live {
		return nil
	}
	return f.sub.C()
}

// received takes what was read from C: nil when it is to be dropped, or when the live flow has ended.
func (f *Follower) received(e *events.Event, ok bool) (*events.Event, error) {
	if !ok {
		err := f.sub.Err()
		if f.sub, f.live = nil, false; errors.Is(err, events.ErrLagged) {
			return nil, nil
		}
		return nil, err
	}
	if e.Sequence <= f.after {
		return nil, nil
	}
	f.after = e.Sequence
	return e, nil
}

// idle says that every matching event up to the sequence returned was given.
func (f *Follower) idle() (upTo int64, ok bool) {
	if !f.live || len(f.page) > 0 {
		return 0, false
	}
	head := f.bus.Head() // before the look into the channel: what it covers is in there already
	if len(f.sub.C()) > 0 || f.sub.Err() != nil {
		return 0, false
	}
	return max(head, f.after, f.skipTo), true // what was there at the start has been read from the journal
}

// reached says that every matching event up to the sequence was given.
func (f *Follower) reached(sequence int64) bool {
	if f.after >= sequence {
		return true
	}
	upTo, ok := f.idle()
	return ok && upTo >= sequence
}
