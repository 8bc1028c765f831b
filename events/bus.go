package events

import (
	"slices"
	"sync/atomic"
)

// Bus carries committed events to the subscribers whose patterns match, with the promises of the package comment. Its
// methods are safe for concurrent use.
type Bus struct {
	feed   Feed[*Event]                  // its lock also guards the fields below
	router Router[*Subscription[*Event]] // of the live subscriptions
	found  []*Subscription[*Event]       // Publish collects subscribers here; kept to reuse its memory
	head   atomic.Int64
}

// NewBus makes a bus without subscribers.
func NewBus() *Bus { return &Bus{} }

// Fewer large events may wait, so that a subscriber that doesn't read holds a bounded amount of memory.
const (
	largeData    = 16 << 10 // bytes of data
	largeWaiting = 32       // with so many events in the channel, a large one no longer fits
)

// Publish sends e once to every subscriber with a matching pattern, and then moves the head to e's Sequence. It never waits for a subscriber: a
// subscription whose buffer is full ends with [ErrLagged]. For an event with more than 16 KiB of data, a buffer with 32 events counts as full. The
// caller must not change e afterwards.
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
	clear(b.found) // so that the garbage collector can free ended subscriptions
	b.head.Store(e.Sequence)
}

// Head is the Sequence of the last event published, 0 before the first. Every matching subscription has that event and all earlier ones in its
// channel, or has ended.
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

// Close ends all subscriptions with [ErrBusClosed]; later subscriptions have ended from the start. Events published later are dropped.
func (b *Bus) Close() { b.feed.Close() }
