package events

import (
	"sync"
	"sync/atomic"
)

// Feed carries values to all of its subscribers, with the promises of the package comment. Its methods are safe for
// concurrent use.
type Feed[T any] struct {
	mu     sync.Mutex
	closed bool
	live   []*Subscription[T]
	count  atomic.Int64 // len(live), without the lock
}

// NewFeed makes a feed without subscribers.
func NewFeed[T any]() *Feed[T] { return &Feed[T]{} }

// Publish sends v to every subscriber. It never waits for one: a subscription whose buffer is full ends with [ErrLagged].
func (f *Feed[T]) Publish(v T) {
	if f.Subscribers() == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.live) - 1; i >= 0; i-- { // from the end: a removed subscription's place goes to one that already has v
		f.live[i].send(v)
	}
}

// Subscribe asks for the values published from now on. buffer is how many values may wait for the reader, at least 1. On a closed feed the
// subscription has ended already, with [ErrBusClosed].
func (f *Feed[T]) Subscribe(buffer int) *Subscription[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.add(buffer)
}

// Subscribers returns the number of live subscriptions. It costs an atomic load, so a publisher may call it before it builds a value.
func (f *Feed[T]) Subscribers() int { return int(f.count.Load()) }

// Close ends all subscriptions with [ErrBusClosed]. Values published later are dropped.
func (f *Feed[T]) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for i := len(f.live) - 1; i >= 0; i-- {
		f.live[i].end(&ErrBusClosed)
	}
}

// add needs mu.
func (f *Feed[T]) add(buffer int) *Subscription[T] {
	s := &Subscription[T]{ch: make(chan T, max(buffer, 1)), feed: f, place: len(f.live)}
	f.live = append(f.live, s)
	f.count.Add(1)
	if f.closed {
		s.end(&ErrBusClosed)
	}
	return s
}

// remove needs mu. The last subscription takes the place of s.
func (f *Feed[T]) remove(s *Subscription[T]) {
	last := len(f.live) - 1
	f.live[s.place] = f.live[last]
	f.live[s.place].place = s.place
	f.live[last] = nil
	f.live = f.live[:last]
	f.count.Add(-1)
}
