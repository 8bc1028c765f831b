package tasks

import (
	"errors"
	"testing"
	"time"
)

// Jitter keeps at least half of the backoff, which doubles from attempt to attempt up to its maximum, and a whole range of waits occurs.
func TestJitterKeepsHalfOfTheBackoff(t *testing.T) {
	for _, r := range []Retry{{Backoff: time.Second, Max: time.Minute}, {Backoff: 1, Max: 1}, {Backoff: 3, Max: 1 << 62}, {Backoff: time.Hour, Max: time.Hour}} {
		for n, ceiling := 1, r.Backoff; n < 100; n++ {
			shortest, longest := time.Duration(1<<62), time.Duration(0)
			for range 2000 {
				d := r.delay(n, nil)
				shortest, longest = min(shortest, d), max(longest, d)
			}
			if shortest < ceiling/2 || longest > ceiling {
				t.Fatalf("%+v: attempt %d is followed by %v to %v, not %v to %v", r, n, shortest, longest, ceiling/2, ceiling)
			}
			if spread := ceiling - ceiling/2; spread > time.Millisecond && (shortest > ceiling/2+spread/20 || longest < ceiling-spread/20) {
				t.Fatalf("%+v: attempt %d: only %v to %v occur, of %v to %v", r, n, shortest, longest, ceiling/2, ceiling)
			}
			ceiling += min(ceiling, r.Max-ceiling)
		}
	}
}

// A handler that asks for a longer wait gets it; a shorter one changes nothing.
func TestAFailureCanAskForALongerWait(t *testing.T) {
	r := Retry{Backoff: time.Second, Max: time.Minute}
	for after, least := range map[time.Duration]time.Duration{time.Hour: time.Hour, time.Millisecond: time.Second / 2} {
		if d := r.delay(1, &retryAfterError{err: errors.New("busy"), after: after}); d < least || d > max(after, time.Second) {
			t.Errorf("after %v: %v", after, d)
		}
	}
}
