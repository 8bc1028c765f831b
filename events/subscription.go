package events

import (
	"errors"
	"sync/atomic"
)

// The reasons why a subscription ends.
var (
	// ErrLagged: a value came when there was no room for it. The waiting values are a prefix without gaps; continue from the journal and subscribe
	// again.
	ErrLagged = errors.New("subscriber fell behind: its buffer was full")
	// ErrUnsubscribed: Unsubscribe was called.
	ErrUnsubscribed = errors.New("unsubscribed")
	// ErrBusClosed: the bus or the feed was closed.
	ErrBusClosed = errors.New("bus is closed")
)

// Subscription is one subscriber's end of a [Feed] or a [Bus]. Its methods are safe for concurrent use.
type Subscription[T any] struct {
	ch     chan T
	err    atomic.Pointer[error] // nil while live; set before ch is closed
	feed   *Feed[T]
	place  int    // in feed.live
	forget func() // may be nil; called once with feed.mu held, when the subscription ends
}

// C delivers the values. It is closed when the subscription has ended, after the buffered values: [Subscription.Err]
// says why.
func (s *Subscription[T]) C() <-chan T { return s.ch }

// Err is nil while the subscription is live, then [ErrLagged], [ErrUnsubscribed] or [ErrBusClosed], and doesn't change any
// more. It may be set while there is still something to read in C.
func (s *Subscription[T]) Err() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Unsubscribe ends the subscription: after it returns nothing is sent any more, and C is closed after the buffered values. Further calls, concurrent
// ones included, change nothing.
func (s *Subscription[T]) Unsubscribe() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.end(&ErrUnsubscribed)
}

// send hands over a value, or ends the subscription when its buffer is full. It needs feed.mu.
func (s *Subscription[T]) send(v T) {
	select {
	case s.ch <- v:
	default:
		s.end(&ErrLagged)
	}
}

// end needs feed.mu. Every sender holds feed.mu, too, so nothing is sent on a closed channel.
func (s *Subscription[T]) end(why *error) {
	if s.err.Load() != nil {
		return
	}
	s.err.Store(why)
	s.feed.remove(s)
	if s.forget != nil {
		s.forget()
	}
	close(s.ch)
}
