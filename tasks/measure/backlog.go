package measure

import (
	"context"
	"time"

	"evrun/store"
	"evrun/store/meter"
)

// Backlog looks up what the workers don't know of the events that wait for a handler, each thing once: how many of those wait that were accepted before
// the daemon began, which is the first for a paused handler, and when the first was accepted. The zero value knows nothing. One goroutine at a time
// may use it.
type Backlog struct {
	counted bool
	old     int64 // how many waited that were accepted up to the base, when none of these had been handled

	mark, first int64 // of a handler that has not begun: the first that waits after the mark
	dated       int64 // this one was accepted at a time
	at          time.Time
}

// lookWithin is how long one look at the store may take. What was not found in that time is estimated, and the count is not repeated.
const lookWithin = 200 * time.Millisecond

// Of returns how many events wait, and since when the first does. begun says that a worker has the handler. After until, nothing is looked up: then the
// count is an upper bound, and the time may be zero.
func (b *Backlog) Of(ctx context.Context, s store.Store, c store.Consumer, p Pending, begun bool, accepted *meter.Clock, until time.Time) (waiting int64, since time.Time) {
	waiting = p.After
	if p.Mark < p.Base {
		waiting += b.oldest(ctx, s, c, p, until)
	}
	if waiting == 0 || p.First == 0 {
		return waiting, time.Time{}
	}
	first := p.First
	if !begun {
		first = b.find(ctx, s, c, p.Mark, until)
	}
	return waiting, b.date(ctx, s, first, accepted, until)
}

// oldest returns how many events up to the base wait.
func (b *Backlog) oldest(ctx context.Context, s store.Store, c store.Consumer, p Pending, until time.Time) int64 {
	most := p.Base - p.Mark
	if !b.counted && time.Now().Before(until) {
		ctx, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		c.LowWater = max(c.LowWater, p.Mark)
		n, _, err := s.CountWaiting(ctx, c, p.Base)
		if err != nil {
			n = most
		}
		b.counted, b.old = true, n+p.Before
	}
	if !b.counted {
		return most
	}
	return min(most, max(0, b.old-p.Before))
}

// find returns the first event that waits for a handler that has not begun, or the first that may.
func (b *Backlog) find(ctx context.Context, s store.Store, c store.Consumer, mark int64, until time.Time) int64 {
	if b.first == 0 || b.mark != mark {
		if time.Now().After(until) {
			return mark + 1
		}
		b.mark, b.first = mark, mark+1
		ctx, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		if runs, err := store.WaitingRuns(ctx, s, c, store.WaitingQuery{After: mark, Limit: 1}); err == nil && len(runs) > 0 {
			b.first = runs[0].Sequence
		}
	}
	return b.first
}

// date returns when an event was accepted.
func (b *Backlog) date(ctx context.Context, s store.Store, seq int64, accepted *meter.Clock, until time.Time) time.Time {
	if accepted != nil {
		if at, _, ok := accepted.At(seq); ok {
			return at
		}
	}
	if b.dated != seq && time.Now().Before(until) {
		ctx, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		if at, err := s.AcceptedAt(ctx, seq); err == nil {
			b.dated, b.at = seq, at
		}
	}
	if b.dated != seq {
		return time.Time{}
	}
	return b.at
}
