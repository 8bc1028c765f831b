package meter_test

import (
	"math"
	"testing"
	"time"

	"evrun/store/meter"
)

func TestQuantilesAreExactToAPartOfABucket(t *testing.T) {
	var h meter.Histogram
	before := h.Counts()
	for ms := 1; ms <= 1000; ms++ {
		h.Observe(time.Duration(ms) * time.Millisecond)
	}
	counts := h.Counts().Minus(before)
	var got [4]time.Duration
	if !counts.Quantiles(got[:], .01, .5, .95, .99) {
		t.Fatal("nothing was counted")
	}
	for i, want := range []float64{10, 500, 950, 990} {
		if ms := got[i].Seconds() * 1000; math.Abs(ms/want-1) > .15 {
			t.Errorf("%v ms, want about %v", ms, want)
		}
	}
	none := counts.Minus(counts)
	if none.Quantiles(got[:1], .5) {
		t.Error("nothing has a median")
	}
}

func TestQuantilesOfExtremes(t *testing.T) {
	for _, x := range []struct{ of, low, high time.Duration }{
		{0, 0, 125 * time.Microsecond}, {time.Millisecond, time.Millisecond, time.Millisecond}, {4 * time.Hour, 4 * time.Hour, 4 * time.Hour},
		{1000 * time.Hour, 4 * time.Hour, 4 * time.Hour},
	} {
		var h meter.Histogram
		h.Observe(x.of)
		counts := h.Counts()
		var got [1]time.Duration
		if !counts.Quantiles(got[:], 1) || got[0] < x.low || got[0] > x.high {
			t.Errorf("of %v: %v", x.of, got[0])
		}
	}
}
