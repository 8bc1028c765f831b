package events

import (
	"slices"
	"sync/atomic"
)

// Bus carries committed events, in batches, to the subscribers whose patterns match, with the promises of the package comment. Its methods are safe
// for concurrent use.
//
// The channel of a subscription has room for one batch. Publish takes back a batch that the reader has not yet received, and sends it again with the
// new events at its end. So an event costs no channel operation of its own, and a slow reader gets larger batches.
type Bus struct {
	feed    Feed[[]*Event]   // its lock also guards the fields below
	router  Router[*waiting] // of the live subscriptions
	found   []*waiting       // Publish collects subscribers here; kept to reuse its memory
	touched []*waiting       // and here those that get events of the commit
	head    atomic.Int64
}

// NewBus makes a bus without subscribers.
func NewBus() *Bus { return &Bus{} }

// MaxWaiting is how many events can wait for a reader at most.
const MaxWaiting = 8192

// Events that wait are shared by all subscribers, but if each waits for another reader, each subscriber holds its own. So their size is bounded for
// each subscription. A subscription for one event holds 64 KiB at most, one for MaxWaiting events 4 MiB.
const (
	eventSize  = 256      // an event counts as its data and so many bytes
	bytesEach  = 512      // so many bytes for each of the events that may wait
	leastBytes = 64 << 10 // but at least so many for a subscription
)

// Publish sends the events of a commit to every subscriber with a matching pattern, and then moves the head to the last one's Sequence. It never waits
// for a subscriber: a subscription without room ends with [ErrLagged], after the events that it has room for. The caller must change neither the events
// nor the slice afterwards, because subscribers may receive both.
func (b *Bus) Publish(evs []*Event) {
	if len(evs) == 0 {
		return
	}
	b.feed.mu.Lock()
	defer b.feed.mu.Unlock()
	for i, next := 0, 0; i < len(evs); i = next {
		bytes := 0
		for next = i; next < len(evs) && evs[next].Type == evs[i].Type; next++ {
			bytes += sizeOf(evs[next])
		}
		b.found = b.router.Match(evs[i].Type, b.found[:0])
		for _, w := range b.found {
			if w.tally != nil {
				w.tally.Add(int64(next - i))
				continue
			}
			if len(w.more) == 0 {
				b.touched = append(b.touched, w)
			}
			w.add(evs, i, next, bytes)
		}
	}
	for _, w := range b.touched {
		w.send(len(evs))
	}
	clear(b.found) // so that the garbage collector can free ended subscriptions
	clear(b.touched)
	b.touched = b.touched[:0]
	b.head.Store(evs[len(evs)-1].Sequence)
}

// Head is the Sequence of the last event published, 0 before the first. Every matching subscription has that event and all earlier ones in its
// channel, or has ended, except while a Publish extends the batch: see [Bus.Received].
func (b *Bus) Head() int64 { return b.head.Load() }

// Received returns the head if everything up to it has been received from the subscription: it is live, and nothing waits in its channel. A look at
// the channel can't tell that, because Publish takes a waiting batch out for a moment.
func (b *Bus) Received(s *Subscription[[]*Event]) (head int64, all bool) {
	b.feed.mu.Lock()
	defer b.feed.mu.Unlock()
	return b.head.Load(), s.Err() == nil && len(s.ch) == 0
}

// Subscribe asks for the events published from now on whose type matches one of the patterns; without patterns, for all of them. limit is how many
// events may wait for the reader, from 1 to [MaxWaiting]; large ones count for more. On a closed bus the subscription has ended already, with
// [ErrBusClosed].
func (b *Bus) Subscribe(limit int, patterns ...Pattern) *Subscription[[]*Event] {
	patterns = slices.Clone(patterns)
	if len(patterns) == 0 {
		patterns = []Pattern{{text: ">", wild: true}}
	}
	b.feed.mu.Lock()
	defer b.feed.mu.Unlock()
	s := b.feed.add(1)
	if s.Err() != nil {
		return s
	}
	limit = min(max(limit, 1), MaxWaiting)
	w := &waiting{sub: s, limit: limit, room: max(leastBytes, limit*bytesEach)}
	for _, p := range patterns {
		b.router.Add(p, w)
	}
	s.forget = func() {
		for _, p := range patterns {
			b.router.Remove(p, w)
		}
	}
	return s
}

// Tally counts the published events whose type matches some patterns, whether or not anybody reads them.
type Tally struct {
	From int64 // the head when it began: it counts the events after this one
	n    atomic.Int64
	end  func()
}

// Count begins a tally; Stop ends it. Each commit costs it an addition for each run of events of a type.
func (b *Bus) Count(patterns ...Pattern) *Tally {
	patterns = slices.Clone(patterns)
	t := &Tally{}
	w := &waiting{tally: &t.n}
	b.feed.mu.Lock()
	defer b.feed.mu.Unlock()
	t.From = b.head.Load()
	for _, p := range patterns {
		b.router.Add(p, w)
	}
	t.end = func() {
		b.feed.mu.Lock()
		defer b.feed.mu.Unlock()
		for _, p := range patterns {
			b.router.Remove(p, w)
		}
	}
	return t
}

// Count is how many events there were.
func (t *Tally) Count() int64 { return t.n.Load() }

// Stop ends the tally. Its count stays.
func (t *Tally) Stop() { t.end() }

// Close ends all subscriptions with [ErrBusClosed]; later subscriptions have ended from the start. Events published later are dropped.
func (b *Bus) Close() { b.feed.Close() }

// waiting fills the channel of one subscription. The bus's lock guards it.
type waiting struct {
	tally       *atomic.Int64 // not nil: it is a [Tally], and the rest is not used
	sub         *Subscription[[]*Event]
	limit, room int // how many events may wait, and how many bytes
	bytes       int // of the batch that was sent last

	// During a Publish: the events of the commit for this subscription.
	more      []*Event
	moreBytes int
	part      int // more is the part of the commit's slice before this index; 0: it is a copy
}

// add collects a part of a commit. As long as the parts follow each other, no event is copied.
func (w *waiting) add(commit []*Event, from, to, bytes int) {
	w.moreBytes += bytes
	switch {
	case len(w.more) == 0:
		w.more, w.part = commit[from:to:to], to
	case w.part == from:
		w.more, w.part = commit[from-len(w.more):to:to], to
	default:
		w.more, w.part = append(w.more, commit[from:to]...), 0
	}
}

// send sends the collected events of a commit with so many events.
//
// A slice in the channel is the commit's own, which all subscribers share, or belongs to this subscription. The shared one has no spare capacity, so
// that append copies it. An own one is only extended if it could be taken back: then its reader has never had it.
func (w *waiting) send(commit int) {
	more := w.more
	w.more = nil
	var batch []*Event
	select {
	case batch = <-w.sub.ch:
	default:
		w.bytes = 0
	}
	lagged := len(batch)+len(more) > w.limit || w.bytes+w.moreBytes > w.room
	if lagged {
		more = more[:w.fit(more, w.limit-len(batch))]
	}
	switch {
	case len(batch) > 0 || w.part > 0 && len(more) < commit: // part of a slice would keep all events of the commit in memory
		batch = append(batch, more...)
	default:
		batch = more
	}
	w.bytes += w.moreBytes
	w.moreBytes = 0
	if len(batch) > 0 {
		w.sub.ch <- batch // there is room: only Publish sends, and it has the lock
	}
	if lagged {
		w.sub.end(&ErrLagged)
	}
}

// fit returns how many of the events have room.
func (w *waiting) fit(more []*Event, limit int) int {
	bytes := w.bytes
	for i, e := range more {
		if bytes += sizeOf(e); i == limit || bytes > w.room {
			return i
		}
	}
	return len(more)
}

func sizeOf(e *Event) int { return eventSize + len(e.Data) }
