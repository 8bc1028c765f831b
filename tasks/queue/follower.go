package queue

import (
	"context"
	"errors"
	"fmt"

	"evrun/events"
	"evrun/store"
)

// The limits of a follower's memory, in events: what waits in its subscription (the bus bounds the bytes, too), and one page of the journal. As many
// more events are in the batch or page that it returns one by one.
const (
	followBuffer = events.MaxWaiting
	followPage   = 512
)

// follower returns the events that match its patterns, each once, in order of sequence, without gaps. They come from the bus while its reader keeps
// up, and from the journal while it doesn't. A slow reader delays nobody else.
//
// It reads the journal until it is near the head, subscribes, and reads the rest of the journal up to the head of that moment: all later events come
// over the bus. So it needs not reach the end of a growing journal, and reads no event that the subscription has. When the subscription has lagged,
// it does the same again, after the events that still waited there.
type follower struct {
	journal  Journal
	bus      *events.Bus
	patterns []events.Pattern
	takes    func(e *events.Event) bool // says of an event with a target whether it is for this handler
	skip     store.HandlerID            // leave out events for which this handler has a run...
	start    int64                      // ...up to the journal's head at the start, or the last that was cancelled; later events go over the bus

	buffer, limit int // followBuffer and followPage

	began      int64 // start, at first
	passedOver int64 // events after it that were not for this handler, or not in its slots
	most       int64 // the greatest sequence that poll has come to...
	again      bool  // ...before the event that it returned
	// narrow lowers before, and says which slots' events are wanted up to there; 0: none. Nil: all are.
	narrow func(read, before int64) (upTo int64, slots store.Slots)

	after int64           // the last returned sequence
	read  int64           // the journal was read up to here
	batch []*events.Event // received or read, not yet returned. Others may share the slice
	sub   *events.Subscription[[]*events.Event]
	live  bool           // the journal was read up to where the subscription begins
	left  map[int64]bool // see leaveOut
}

// newFollower returns a follower of the events after a sequence. head is the journal's head.
func newFollower(journal Journal, bus *events.Bus, after, head int64, patterns []events.Pattern) follower {
	return follower{journal: journal, bus: bus, after: after, read: after, start: head, began: head, patterns: patterns, takes: func(*events.Event) bool { return true },
		buffer: followBuffer, limit: followPage}
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
		for len(f.batch) > 0 {
			e := f.batch[0]
			f.batch = f.batch[1:]
			f.again = e.Sequence <= f.most
			f.after, f.most = e.Sequence, max(f.most, e.Sequence)
			if (e.Target == "" || f.takes(e)) && !f.isLeft(e.Sequence) {
				return e, nil
			}
			f.passOver(e)
		}
		if !f.live {
			if err := f.readOn(ctx); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case batch, ok := <-f.sub.C():
			if err := f.received(batch, ok); err != nil {
				return nil, err
			}
		default:
			return nil, nil
		}
	}
}

// passOver counts an event that was not for this handler, or not in its slots.
func (f *follower) passOver(e *events.Event) {
	if e.Sequence > f.began && !f.again {
		f.passedOver++
	}
}

// readOn reads a page of the journal. Near the head it subscribes first; then it only reads up to where the subscription begins.
func (f *follower) readOn(ctx context.Context) error {
	head := max(f.bus.Head(), f.start)
	if f.sub == nil && head-f.read <= int64(f.buffer/2) {
		f.sub = f.bus.Subscribe(f.buffer, f.patterns...)
		head = max(f.bus.Head(), f.start)
	}
	if f.live = f.sub != nil && f.read >= head; f.live {
		return nil
	}
	q := store.EventQuery{After: f.read, Before: head + 1, Patterns: f.patterns, Limit: f.limit}
	if f.read < f.start {
		q.WithoutRun = f.skip
	}
	if f.narrow != nil {
		var slots store.Slots
		if q.Before, slots = f.narrow(f.read, q.Before); slots == 0 {
			f.read = q.Before - 1
			return nil
		} else if slots != store.AllSlots {
			q.Slots = slots
		}
	}
	page, err := f.journal.Events(ctx, q)
	if err != nil {
		return fmt.Errorf("read on from the journal: %w", err)
	}
	if f.batch = page; len(page) == 0 { // a page of large events is shorter than its limit
		f.read = q.Before - 1
	} else {
		f.read = page[len(page)-1].Sequence
	}
	return nil
}

// c is the channel of the next live events, after poll returned none. Pass the batch read from it to received.
func (f *follower) c() <-chan []*events.Event {
	if !f.live || len(f.batch) > 0 {
		return nil
	}
	return f.sub.C()
}

// received takes a batch read from c; poll returns its events. received drops the events that were read from the journal, and switches back to the
// journal if the subscription has ended because it lagged.
func (f *follower) received(batch []*events.Event, ok bool) error {
	if !ok {
		err := f.sub.Err()
		if f.sub, f.live = nil, false; errors.Is(err, events.ErrLagged) {
			return nil
		}
		return err
	}
	for len(batch) > 0 && batch[0].Sequence <= f.read {
		batch = batch[1:]
	}
	if f.batch = batch; len(batch) > 0 {
		f.read = batch[len(batch)-1].Sequence
	}
	return nil
}

// idle reports whether poll has returned every matching event up to the returned sequence.
func (f *follower) idle() (upTo int64, ok bool) {
	if !f.live || len(f.batch) > 0 {
		return 0, false
	}
	head, all := f.bus.Received(f.sub)
	if !all {
		return 0, false
	}
	return max(head, f.read), true
}

// reached reports whether poll has returned every matching event up to a sequence.
func (f *follower) reached(sequence int64) bool {
	if f.after >= sequence {
		return true
	}
	upTo, ok := f.idle()
	return ok && upTo >= sequence
}
