package tasks

import (
	"errors"
	"math/rand/v2"
	"time"
)

// The default retry policy.
const (
	DefaultAttempts   = 5
	DefaultBackoff    = time.Second
	DefaultMaxBackoff = time.Minute
)

// WithDefaults returns the handler with the runner's defaults filled in.
func (h *Handler) WithDefaults() *Handler {
	configured := *h
	configured.Retry = h.Retry.withDefaults()
	if configured.Concurrency <= 0 {
		configured.Concurrency = defaultConcurrency
	}
	if h.Debounce != nil {
		configured.Debounce = h.Debounce.withDefaults()
	}
	return &configured
}

func (r Retry) withDefaults() Retry {
	if r.Attempts <= 0 {
		r.Attempts = DefaultAttempts
	}
	if r.Backoff <= 0 {
		r.Backoff = DefaultBackoff
	}
	if r.Max <= 0 {
		r.Max = DefaultMaxBackoff
	}
	r.Max = max(r.Max, r.Backoff)
	return r
}

// delay returns how long to wait after failed attempt n (from 1): exponential backoff, of which a random part, at most half, is taken away ("equal
// jitter" of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), but at least as long as the error asks for. Full jitter could
// make all attempts of a run follow each other within moments, before the cause of the failure has passed.
func (r Retry) delay(n int, err error) time.Duration {
	ceiling := r.Max
	if shift := n - 1; shift < 62 && r.Backoff<<shift>>shift == r.Backoff {
		ceiling = min(r.Max, r.Backoff<<shift)
	}
	least := ceiling / 2
	d := least + rand.N(ceiling-least+1)
	var after *retryAfterError
	if errors.As(err, &after) {
		d = max(d, after.after)
	}
	return d
}
