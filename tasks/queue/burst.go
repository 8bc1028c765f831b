package queue

import (
	"container/heap"
	"context"
	"math"
	"time"

	"evrun/events"
)

// Bursts say which events share a run: those with one key that follow each other within Wait.
type Bursts struct {
	Wait    time.Duration
	MaxWait time.Duration // how long a burst may go on, from its first event
	All     bool          // the run is for all events of the burst, so a burst is bounded; else for the last one alone
	// Wanted says whether an event belongs to any burst; the others are skipped. Nil: all do.
	Wanted func(t *Task) (bool, error)
	// Key gives the key of an event. Nil: all events are one burst.
	Key func(t *Task) (string, error)
}

// What the bursts of a handler hold at most. One that is full runs at once, and so does the one that is due first when there
// is not room for more events.
const (
	maxGathered   = 10_000  // events in all bursts: their sequences
	maxBurst      = 1000    // events of a burst that gives all of them to its run
	maxBurstBytes = 4 << 20 // of their data
)

// bursts are the events that wait for their burst to end. Of each only the sequence is kept, and of a burst its last event:
// none has a run yet, so after a restart the journal brings them again, and the run reads those that it needs.
type bursts struct {
	Bursts
	open    map[string]*burst // by key: those that events can still join
	due     queued[*burst]    // all
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

func newBursts(b Bursts) *bursts { return &bursts{Bursts: b, open: map[string]*burst{}} }

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
func (b *bursts) take() *Task {
	u := heap.Pop(&b.due).(*burst)
	if !u.full {
		delete(b.open, u.key)
	}
	n := len(u.sequences) - 1
	b.waiting -= n + 1
	return &Task{Event: u.last, Seq: u.sequences[n], Joins: u.sequences[:n:n], Attempt: 1, gathered: true}
}

// lowest is the lowest sequence that waits.
func (b *bursts) lowest() int64 {
	low := int64(math.MaxInt64)
	for _, u := range b.due {
		low = min(low, u.sequences[0])
	}
	return low
}

// recheckAfter is how soon to look again whether the bus has brought the journal's last events.
const recheckAfter = time.Millisecond

// burst gives the task of a burst that is over, or nil.
//
// A burst is over only when every event that was accepted within its wait was taken, however long that took: events that came
// in together stay together, however slow the machine is.
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

// gathers says whether events can be taken into bursts, which needs no attempt to begin.
func (q *Queue) gathers() bool { return q.bursts != nil && q.bursts.room() }

// gather takes an event into its burst. One that is skipped, or has no key, is for the worker: gather says so.
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
