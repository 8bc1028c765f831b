package limits

import (
	"sync"
	"time"

	"evrun/tasks"
)

// Bucket limits how much passes in a time. Its tokens come back one by one, up to Burst. A larger request is let in while there is a token, and the
// bucket is in debt then: so a batch is never too large, and the mean rate holds. Its methods are safe for concurrent use.
type Bucket struct {
	Interval time.Duration // between two tokens; 0: no limit
	Burst    int           // tokens in a full bucket, at least one

	mu   sync.Mutex
	full time.Time // when the bucket is full again
}

// BucketOf returns a bucket that lets so many pass in each period of the rate, in any rhythm.
func BucketOf(rate tasks.Rate) *Bucket { return &Bucket{Interval: rate.Interval(), Burst: rate.Count} }

// Take takes n tokens, or says when there is one.
func (b *Bucket) Take(n int, now time.Time) (retry time.Duration, ok bool) {
	if b.Interval == 0 {
		return 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full.Before(now) {
		b.full = now
	}
	missing := b.full.Sub(now)
	if first := time.Duration(b.Burst-1) * b.Interval; missing > first {
		return missing - first, false
	}
	b.full = b.full.Add(time.Duration(n) * b.Interval)
	return 0, true
}

// Idle reports whether the bucket is full, as a new one is.
func (b *Bucket) Idle(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.full.After(now)
}
