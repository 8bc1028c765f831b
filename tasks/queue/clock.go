package queue

import (
	"container/heap"
	"slices"
	"time"
)

// maxRetriesInMemory bounds the retry clock. Runs that are due later are read from the store in time.
const maxRetriesInMemory = 8192

// retryClock holds the runs that wait for their next attempt, the one due first on top. It is complete up to its horizon:
// runs due from then on may be in the store only.
type retryClock struct {
	items   queued[*Task]
	known   map[int64]*Task // items by sequence: each run once
	horizon time.Time       // zero: none
	all     bool            // it is never trimmed, because keyOrder bounds it
}

// add adds t, unless it is due after the horizon. Of two tasks of one run, it keeps the one that supersedes the other.
func (c *retryClock) add(t *Task) {
	if old := c.known[t.Seq]; old != nil {
		if t.supersedes(old) {
			t.place = old.place
			c.items[t.place], c.known[t.Seq] = t, t
			heap.Fix(&c.items, t.place)
		}
		return
	}
	if !c.horizon.IsZero() && !t.due.Before(c.horizon) {
		return
	}
	if c.known == nil {
		c.known = map[int64]*Task{}
	}
	c.known[t.Seq] = t
	heap.Push(&c.items, t)
	if len(c.items) <= maxRetriesInMemory || c.all {
		return
	}
	// Keep the half that is due first.
	kept := make(queued[*Task], 0, maxRetriesInMemory/2)
	for len(kept) < cap(kept) {
		kept = append(kept, heap.Pop(&c.items).(*Task))
	}
	c.horizon = c.items[0].due
	c.keep(kept)
}

// keep replaces the content of the clock with tasks.
func (c *retryClock) keep(tasks []*Task) {
	c.items = tasks
	clear(c.known)
	for i, t := range c.items {
		t.place = i
		c.known[t.Seq] = t
	}
	heap.Init(&c.items)
}

// forget removes the tasks of ordered runs after a sequence; the store still has them.
func (c *retryClock) forget(upTo int64) {
	c.keep(slices.DeleteFunc(c.items, func(t *Task) bool { return t.key != "" && t.Seq > upTo }))
}

// take returns a task that is due, or nil.
func (c *retryClock) take(now func() time.Time) *Task {
	if len(c.items) == 0 || c.items[0].due.After(now()) {
		return nil
	}
	t := c.items[0]
	c.remove(t)
	return t
}

func (c *retryClock) remove(t *Task) {
	heap.Remove(&c.items, t.place)
	delete(c.known, t.Seq)
}

// next returns when to check again; ok is false if nothing waits.
func (c *retryClock) next() (at time.Time, ok bool) {
	if len(c.items) == 0 {
		return time.Time{}, false
	}
	return c.items[0].due, true
}

// exhausted reports whether the runs that are due next must be read from the store.
func (c *retryClock) exhausted() bool { return len(c.items) == 0 && !c.horizon.IsZero() }

// before implements [ordered]: the run that is due first comes first.
func (t *Task) before(o *Task) bool {
	if t.due.Equal(o.due) {
		return t.Seq < o.Seq
	}
	return t.due.Before(o.due)
}

func (t *Task) moved(place int) { t.place = place }
