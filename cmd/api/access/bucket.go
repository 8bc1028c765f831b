package access

import (
	"strings"
	"sync"
	"time"

	"evrun/tasks"
	"evrun/tasks/fault"
)

// ParseRate reads how many events a token publishes at most: 100/s, 5/m.
func ParseRate(text string) (tasks.Rate, *fault.Fault) {
	rate, f := tasks.ParseRate(text)
	if f != nil && strings.Contains(f.Hint, "handler") {
		f = fault.New("%s", f.Message).Hinting("leave the rate out for no limit; a token without the right emit publishes nothing")
	}
	return rate, f
}

// bucket limits how much passes in a time. Tokens come back one by one, up to burst. A larger request is let in while there is a token, and the
// bucket is in debt then: so a batch is never too large, and the mean rate holds.
type bucket struct {
	interval time.Duration // between two tokens
	burst    int

	mu   sync.Mutex
	full time.Time // when the bucket is full again
}

// take takes n tokens, or says when there is one.
func (b *bucket) take(n int, now time.Time) (retry time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full.Before(now) {
		b.full = now
	}
	missing := b.full.Sub(now)
	if first := time.Duration(b.burst-1) * b.interval; missing > first {
		return missing - first, false
	}
	b.full = b.full.Add(time.Duration(n) * b.interval)
	return 0, true
}

// idle reports whether the bucket is full, as a new one is.
func (b *bucket) idle(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.full.After(now)
}
