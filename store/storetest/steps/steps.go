// Package steps has what the tests of a store's promises are made of.
package steps

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// At is a time that every store can keep exactly.
var At = time.Date(2026, 3, 29, 1, 2, 3, 456789000, time.UTC)

// Clock is a clock that the test moves. It begins with [At].
type Clock struct{ now atomic.Pointer[time.Time] }

// NewClock makes a clock.
func NewClock() *Clock {
	c := &Clock{}
	c.now.Store(&At)
	return c
}

// Now returns the time.
func (c *Clock) Now() time.Time { return *c.now.Load() }

// Pass moves the clock.
func (c *Clock) Pass(d time.Duration) {
	now := c.Now().Add(d)
	c.now.Store(&now)
}

// Must returns a function that ends the test if err is not nil, and returns v otherwise.
func Must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Event makes an event of the source /test.
func Event(typ, id string) *events.Event {
	return &events.Event{ID: id, Source: "/test", Type: typ, Time: At, CorrelationID: id, Data: []byte(`{"n":9007199254740993}`)}
}

// Outside makes the settlement of an attempt without an effect in the store.
func Outside(e *events.Event, h store.HandlerID, attempt int, state store.RunState) store.Settlement {
	s := store.Settlement{Event: e, Handler: h, Attempt: attempt, Started: At, Outcome: store.Outcome{State: state}}
	if state == store.Retrying || state == store.Dead {
		s.Outcome.Error = fmt.Sprintf("attempt %d failed", attempt)
	}
	if state == store.Retrying {
		s.Outcome.NextAttemptAt = At.Add(time.Minute)
	}
	return s
}
