package recent

import (
	"testing"
	"time"

	"evrun/store"
)

// The rate is what ended within the last minute, second by second.
func TestTheRateIsOfTheLastMinute(t *testing.T) {
	var r Runs
	at := time.Unix(1_700_000_000, 0)
	after := func(d time.Duration) time.Time { return at.Add(d) }
	r.Settled(at, 10, store.Succeeded)
	r.Settled(after(time.Second), 5, store.Skipped)
	r.Settled(after(30*time.Second), 1, store.Dead)
	r.Settled(after(31*time.Second), 0, 0)
	for _, x := range []struct {
		after time.Duration
		want  int
	}{{30 * time.Second, 16}, {59 * time.Second, 16}, {60 * time.Second, 6}, {61 * time.Second, 1}, {40 * time.Second, 1}, {90 * time.Second, 0}, {time.Hour, 0}} {
		if got := r.Rate(after(x.after)); got != x.want {
			t.Errorf("after %v: %d, want %d", x.after, got, x.want)
		}
	}
	if r.Last.State != "dead" || !r.Last.At.Equal(after(30*time.Second)) {
		t.Errorf("%+v", r.Last)
	}
}
