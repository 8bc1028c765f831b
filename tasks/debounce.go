package tasks

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
)

// Debounce makes one run of a burst of events: of those with one key that follow each other within Wait.
type Debounce struct {
	Wait time.Duration
	// MaxWait is how long a burst may go on, from its first event. Default 10 times Wait.
	MaxWait time.Duration
	By      *expression.Expr // the key; nil: all events of the handler are one burst
	// All gives the run all events of the burst; else the last one alone.
	All bool
}

// defaultMaxWaits is how many waits a burst may go on.
const defaultMaxWaits = 10

func (d Debounce) withDefaults() *Debounce {
	if d.MaxWait <= 0 {
		if d.MaxWait = defaultMaxWaits * d.Wait; d.MaxWait/defaultMaxWaits != d.Wait {
			d.MaxWait = math.MaxInt64
		}
	}
	return &d
}

// What the bursts of a handler hold at most. One that is full runs at once, and so does the one that is due first when there
// is no room for more events.
const (
	maxGathered   = 10_000  // events in all bursts: their sequences
	maxBurst      = 1000    // events of a burst that gives all of them to its run
	maxBurstBytes = 4 << 20 // of their data
)

// bursts are the events that wait for their burst to end. Of each only the sequence is kept, and of a burst its last event:
// none has a run yet, so after a restart the journal brings them again, and the run reads those that it wants.
type bursts struct {
	Debounce
	open    map[string]*burst // by key: those that events can still join
	due     burstHeap         // all
	waiting int               // events

	// What was accepted up to seenAt has sequences up to seen.
	seenAt time.Time
	seen   int64
}

type burst struct {
	key       string
	sequences []int64 // ascending
	last      *events.Event
	bytes     int
	first     time.Time
	due       time.Time
	full      bool
	place     int // in the heap
}

func newBursts(d Debounce) *bursts { return &bursts{Debounce: d, open: map[string]*burst{}} }

// room says whether another event can wait.
func (b *bursts) room() bool { return b.waiting < maxGathered }

// add puts an event into the burst of its key, and restarts the wait.
func (b *bursts) add(key string, e *events.Event, now time.Time) {
	u := b.open[key]
	if u == nil {
		u = &burst{key: key, first: now, place: -1}
		b.open[key] = u
	}
	u.sequences = append(u.sequences, e.Sequence)
	u.bytes += len(e.Data)
	if u.last = e; len(e.Data) > maxParkedData {
		u.last = nil
	}
	b.waiting++
	if u.due = now.Add(b.Wait); u.due.Sub(u.first) > b.MaxWait {
		u.due = u.first.Add(b.MaxWait)
	}
	if b.All && (len(u.sequences) >= maxBurst || u.bytes >= maxBurstBytes) {
		u.full, u.due = true, now
		delete(b.open, key)
	}
	if u.place < 0 {
		heap.Push(&b.due, u)
	} else {
		heap.Fix(&b.due, u.place)
	}
}

// next says when the burst that is due first is; ok is false when nothing waits.
func (b *bursts) next() (at time.Time, ok bool) {
	if len(b.due) == 0 {
		return time.Time{}, false
	}
	return b.due[0].due, true
}

// take ends the burst that is due first, and makes its task.
func (b *bursts) take() *task {
	u := heap.Pop(&b.due).(*burst)
	if !u.full {
		delete(b.open, u.key)
	}
	n := len(u.sequences) - 1
	b.waiting -= n + 1
	return &task{event: u.last, seq: u.sequences[n], joins: u.sequences[:n:n], attempt: 1, gathered: true}
}

// lowest is the lowest sequence that waits.
func (b *bursts) lowest() int64 {
	low := int64(math.MaxInt64)
	for _, u := range b.due {
		low = min(low, u.sequences[0])
	}
	return low
}

// recheckAfter is how soon to look again whether the bus has brought what the journal has.
const recheckAfter = time.Millisecond

// pickBurst gives the task of a burst that is over, or nil.
//
// A burst is over only when what was accepted within its wait was taken, however long that took: what belongs together on
// its way in stays together, whatever else the machine does.
func (c *consumer) pickBurst(ctx context.Context) (*task, error) {
	b := c.bursts
	if b == nil || len(b.due) == 0 {
		return nil, nil
	}
	top := b.due[0]
	if b.room() && !top.full {
		now := time.Now()
		if top.due.After(now) {
			return nil, nil
		}
		if top.due.After(b.seenAt) {
			head, err := c.r.o.Store.Head(ctx)
			if err != nil {
				return nil, err
			}
			b.seenAt, b.seen = now, head
		}
		if !c.follower.reached(b.seen) {
			return nil, nil
		}
	}
	return b.take(), nil
}

// gather takes an event of a handler with a debounce: into its burst, unless it is skipped or has no key.
func (c *consumer) gather(t *task) {
	d := c.delivery(t)
	t.started = time.Now()
	ok, err := c.wanted(d)
	key := ""
	if ok && err == nil && c.bursts.By != nil {
		key, err = keyOf(c.bursts.By, "debounce: by", d)
	}
	switch {
	case err != nil:
		c.active[t.seq] = t
		c.settle(t, c.settlement(t, c.failed(t, d, err)))
	case !ok:
		c.active[t.seq] = t
		c.settle(t, c.settlement(t, store.Outcome{State: store.Skipped}))
	default:
		c.bursts.add(key, t.event, t.started)
	}
}

// giveEvents reads the events of t's burst for its run: the same at each attempt. The error is the store's, or ctx's.
func (c *consumer) giveEvents(ctx context.Context, t *task, d *Delivery) error {
	if c.h.Debounce == nil {
		return nil
	}
	for {
		var burst []*events.Event
		var err error
		if t.attempt > 1 || t.claimed { // it is recorded
			burst, err = Burst(ctx, c.r.o.Store, c.h.Debounce, c.id, t.event)
		} else {
			burst, err = c.h.Debounce.events(ctx, c.r.o.Store, t.joins, t.event)
		}
		if err == nil {
			d.Env.SetEvents(burst)
			return nil
		}
		if !temporary(err) || !pause(ctx, storeRetryEvery) {
			return fmt.Errorf("read the events of a burst: %w", err)
		}
	}
}

// Burst reads what a recorded run of a handler with a debounce sees as events: that run's event, and with All those that it
// has taken along before it.
func Burst(ctx context.Context, s store.Store, d *Debounce, h store.HandlerID, last *events.Event) ([]*events.Event, error) {
	var joins []int64
	if d.All {
		var err error
		if joins, err = s.Joined(ctx, h, last.Sequence); err != nil {
			return nil, err
		}
	}
	return d.events(ctx, s, joins, last)
}

func (d *Debounce) events(ctx context.Context, s store.Journal, joins []int64, last *events.Event) (list []*events.Event, err error) {
	if !d.All || len(joins) == 0 {
		return []*events.Event{last}, nil
	}
	for after := int64(0); ; after = list[len(list)-1].Sequence {
		page, err := s.Events(ctx, store.EventQuery{Sequences: joins, After: after})
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			return append(list, last), nil
		}
		list = append(list, page...)
	}
}

// burstHeap has the burst that is due first on top.
type burstHeap []*burst

func (h burstHeap) Len() int { return len(h) }
func (h burstHeap) Less(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].sequences[0] < h[j].sequences[0]
	}
	return h[i].due.Before(h[j].due)
}
func (h burstHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
func (h *burstHeap) Push(x any) {
	u := x.(*burst)
	u.place = len(*h)
	*h = append(*h, u)
}
func (h *burstHeap) Pop() any {
	old := *h
	u := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return u
}
