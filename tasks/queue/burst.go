package queue

import (
	"container/heap"
	"context"
	"math"
	"time"

	"evrun/events"
)

// Bursts says which events share a run: events with the same key that follow each other within Wait.
type Bursts struct {
	Wait    time.Duration
	MaxWait time.Duration // how long a burst may go on, from its first event
	All     bool          // the run is for all events of the burst, so the burst is bounded; otherwise only for the last event
	// Wanted reports whether the handler wants an event; others are skipped. Nil: all are wanted.
	Wanted func(t *Task) (bool, error)
	// Key returns the key of an event. Nil: all events are one burst.
	Key func(t *Task) (string, error)
}

// The limits of a handler's bursts. A full burst runs at once. If there is no room for more events, the burst that is due first runs at once.
const (
	maxGathered   = 10_000  // events in all bursts, of which only the sequences are kept
	maxBurst      = 1000    // events of a burst that gives all of them to its run
	maxBurstBytes = 4 << 20 // of their data
)

// bursts holds the events that wait for their burst to end: the sequence of each event, and the last event of each burst. These events have no runs
// yet, so after a restart the journal delivers them again. A run reads the events that it needs.
type bursts struct {
	Bursts
	open    map[string]*burst // by key: the bursts that events can still join
	due     queued[*burst]    // all
	in      map[int64]*burst  // by sequence: the burst of each event
	waiting int               // events

	// Events accepted up to seenAt have sequences up to seen.
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

func newBursts(b Bursts) *bursts {
	return &bursts{Bursts: b, open: map[string]*burst{}, in: map[int64]*burst{}}
}

// room reports whether another event can wait.
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
	b.in[e.Sequence] = u
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

// next returns when the first burst is due; ok is false if nothing waits.
func (b *bursts) next() (at time.Time, ok bool) {
	if len(b.due) == 0 {
		return time.Time{}, false
	}
	return b.due[0].due, true
}

// take ends the burst that is due first, and returns its task.
func (b *bursts) take() *Task {
	u := b.due[0]
	b.remove(u)
	for _, sequence := range u.sequences {
		delete(b.in, sequence)
	}
	n := len(u.sequences) - 1
	b.waiting -= n + 1
	return &Task{Event: u.last, Seq: u.sequences[n], Joins: u.sequences[:n:n], Attempt: 1, gathered: true}
}

// remove removes a burst.
func (b *bursts) remove(u *burst) {
	heap.Remove(&b.due, u.place)
	if !u.full {
		delete(b.open, u.key)
	}
}

// insert adds a burst that no more events can join.
func (b *bursts) insert(u *burst) {
	for _, sequence := range u.sequences {
		b.in[sequence] = u
	}
	b.waiting += len(u.sequences)
	heap.Push(&b.due, u)
}

// lowest returns the lowest waiting sequence.
func (b *bursts) lowest() int64 {
	low := int64(math.MaxInt64)
	for _, u := range b.due {
		low = min(low, u.sequences[0])
	}
	return low
}

// recheckAfter is how soon to check again whether the bus has delivered the journal's last events.
const recheckAfter = time.Millisecond

// burst returns the task of a burst that is over, or nil.
//
// A burst is over only after every event that was accepted within its wait has been added, however long that takes. So events that arrive together
// share a run even on a slow machine.
func (q *Queue) burst(ctx context.Context) (*Task, error) {
	b := q.bursts
	if b == nil || len(b.due) == 0 {
		return nil, nil
	}
	top := b.due[0]
	if b.room() && !top.full {
		now := q.o.Now()
		if top.due.After(now) {
			return nil, nil
		}
		if top.due.After(b.seenAt) {
			head, err := q.o.Journal.Head(ctx)
			if err != nil {
				return nil, err
			}
			b.seenAt, b.seen = now, head
		}
		if !q.follower.reached(b.seen) {
			return nil, nil
		}
	}
	return b.take(), nil
}

// gathers reports whether events can join bursts. Joining needs no free attempt.
func (q *Queue) gathers() bool { return q.bursts != nil && q.bursts.room() }

// gather adds an event to its burst. It returns true for an event that is skipped or has no key: that one goes to the worker.
func (q *Queue) gather(t *Task) (forWorker bool) {
	b, key := q.bursts, ""
	wanted := true
	if b.Wanted != nil {
		wanted, t.Err = b.Wanted(t)
	}
	if wanted && t.Err == nil && b.Key != nil {
		key, t.Err = b.Key(t)
	}
	if t.Skip = !wanted && t.Err == nil; t.Skip || t.Err != nil {
		q.give(t)
		return true
	}
	b.add(key, t.Event, q.o.Now())
	return false
}

// before implements [ordered]: the burst that is due first comes first.
func (u *burst) before(o *burst) bool {
	if u.due.Equal(o.due) {
		return u.sequences[0] < o.sequences[0]
	}
	return u.due.Before(o.due)
}

func (u *burst) moved(place int) { u.place = place }
