package meter

import (
	"sort"
	"sync"
	"time"
)

// Clock remembers when events were accepted, by their sequences, since it was made. Its memory is bounded: it knows the time of a
// recent commit to the millisecond, and that of an older one to a fiftieth of its age. Safe for concurrent use.
type Clock struct {
	mu    sync.Mutex
	first int64 // the sequences from here on are known
	notes []note
}

// note says that the sequences after the note before it, up to seq, were accepted at a time.
type note struct {
	seq int64
	at  time.Time
}

// maxNotes bounds a Clock's memory: 32 bytes each.
const maxNotes = 4096

// apart is how far apart notes are at least: one second of single events has a thousand.
const apart = time.Millisecond

// precise divides the age of an event: its time is exact to two of these parts.
const precise = 128

// Note records that the events of one commit, first to last, were accepted at a time. Calls must be in the order of the commits.
func (c *Clock) Note(first, last int64, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.notes)
	switch {
	case n == 0:
		c.first, c.notes = first, make([]note, 0, maxNotes)
	case at.Sub(c.notes[n-1].at) < apart:
		c.notes[n-1].seq = last
		return
	case n == maxNotes:
		c.thin()
	}
	c.notes = append(c.notes, note{last, at})
}

// thin keeps notes that are apart by a part of their age: 2,500 of them cover a year. Of those before it, the later one stays, so that no wait is
// overstated.
func (c *Clock) thin() {
	now := c.notes[len(c.notes)-1].at
	to, newer := len(c.notes), now.Add(apart)
	for i := len(c.notes) - 1; i >= 0; i-- {
		if n := c.notes[i]; newer.Sub(n.at) >= now.Sub(n.at)/precise {
			to--
			c.notes[to], newer = n, n.at
		}
	}
	c.notes = c.notes[:copy(c.notes, c.notes[to:])]
}

// At returns when the event with a sequence was accepted; ok is false if that was before the clock's first commit. upTo is the last sequence with the
// same answer, so that who asks for many in order need not ask for each.
func (c *Clock) At(seq int64) (at time.Time, upTo int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(c.notes), func(i int) bool { return c.notes[i].seq >= seq })
	if i == len(c.notes) || seq < c.first {
		return time.Time{}, seq, false
	}
	return c.notes[i].at, c.notes[i].seq, true
}
