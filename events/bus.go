package events

import (
	"slices"
	"sync/atomic"
)

// Bus carries committed events to the subscribers whose patterns match, with the promises of the package comment. Its
// methods are safe for concurrent use.
type Bus struct {
	feed   Feed[*Event]                  // its lock guards the rest, too
	router Router[*Subscription[*Event]] // of the live subscriptions
	found  []*Subscription[*Event]       // kept for its memory: where Publish collects subscribers
	head   atomic.Int64
}

// NewBus makes a bus without subscribers.
func NewBus() *Bus { return &Bus{} }

// Large events wait in fewer numbers, so that a subscriber who doesn't read keeps a bounded amount of memory.
const (
	largeData    = 16 << 10 // bytes of data
	largeWaiting = 32       // events in the channel beside which another large one finds no room
)

// Publish hands e to every subscriber with a pattern that matches, once each, and then moves the head to e's Sequence. It
// never waits for a subscriber: one whose buffer is full is ended with [ErrLagged]; for an event with more than 16 KiB of
// data it is full with 32 events. e must not be changed any more.
func (b *Bus) Publish(e *Event) {
	b.feed.mu.Lock()
	defer b.feed.mu.Unlock()
	b.found = b.router.Match(e.Type, b.found[:0])
	for _, s := range b.found {
		if len(e.Data) > largeData && len(s.ch) >= largeWaiting {
			s.end(&ErrLagged)
			continue
		}
		s.send(e)
	}
	clear(b.found) // so that none is kept from being collected
	b.head.Store(e.Sequence)
}

// Head is the Sequence of the last event published, 0 before the first. A reader can rely on every matching
// subscription having that event, and those before, in its channel, or having ended.
func (b *Bus) Head() int64 { return b.head.Load() }

// Subscribe asks for the events published from now on whose type matches one of the patterns; without patterns, for all
// of them. buffer is how many events may wait for the reader, at least 1. On a closed bus the subscription has ended
// already, with [ErrBusClosed].
func (b *Bus) Subscribe(buffer int, patterns ...Pattern) *Subscription[*Event] {
	patterns = slices.Clone(patterns)
	if len(patterns) == 0 {
		patterns = []Pattern{{text: ">", wild: true}}
	}
	b.feed.mu.Lock()
	defer b.feed.mu.Unlock()
	s := b.feed.add(buffer)
	if s.Err() != nil {
		return s
	}
	for _, p := range patterns {
		b.router.Add(p, s)
	}
	s.forget = func() {
		for _, p := range patterns {
			b.router.Remove(p, s)
		}
	}
	return s
}

// UnsubscribeAll ends all subscriptions with [ErrUnsubscribed]. The bus goes on.
func (b *Bus) UnsubscribeAll() {
	b.feed.mu.Lock()
	defer b.feed.mu.Unlock()
	b.feed.endAll(&ErrUnsubscribed)
}

// Close ends all subscriptions with [ErrBusClosed]; later ones have ended from the start. Events published later go
// nowhere.
func (b *Bus) Close() { b.feed.Close() }
