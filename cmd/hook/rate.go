package hook

import (
	"sync"
	"time"

	"evrun/tasks"
)

// bucket lets so many requests pass in each period, in any rhythm: its tokens come back evenly.
type bucket struct {
	rate tasks.Rate

	mu   sync.Mutex
	full time.Time // when it is full again
}

// take takes a token, or says how long it takes until there is one.
func (b *bucket) take(now time.Time) (wait time.Duration, ok bool) {
	interval := b.rate.Interval()
	if interval == 0 {
		return 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full.Before(now) {
		b.full = now
	}
	if missing, most := b.full.Sub(now), b.rate.Per-interval; missing > most {
		return missing - most, false
	}
	b.full = b.full.Add(interval)
	return 0, true
}
