package meter_test

import (
	"testing"
	"time"

	"evrun/store/meter"
)

func TestAHistogramCountsWhatSamplesHaveSeen(t *testing.T) {
	var h meter.Histogram
	var s meter.Sample
	for _, d := range []time.Duration{-time.Second, 0, time.Millisecond, time.Millisecond + 1, time.Second, 5 * time.Hour} {
		s.Observe(d)
	}
	h.Add(&s)
	h.Add(&s) // it is empty now
	h.Observe(time.Second)
	count, sum, atMost := h.Read()
	if count != 7 || int(sum) != 5*3600+2 {
		t.Errorf("%d times, %v s", count, sum)
	}
	for bound, want := range map[float64]uint64{.001: 3, .005: 4, .5: 4, 2.5: 6, 4 * 3600: 6} {
		if atMost[bound] != want {
			t.Errorf("%d were at most %v s, want %d", atMost[bound], bound, want)
		}
	}
}

func TestNoMeasureAllocates(t *testing.T) {
	var h meter.Histogram
	var c meter.Clock
	seq, at := int64(0), time.Unix(1, 0)
	c.Note(1, 1, at)
	if n := testing.AllocsPerRun(10_000, func() {
		seq++
		at = at.Add(time.Second)
		c.Note(seq, seq, at)
		c.At(seq)
		h.Observe(time.Duration(seq))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAClockKnowsRecentTimesExactlyAndOldOnesAbout(t *testing.T) {
	var c meter.Clock
	if _, _, ok := c.At(1); ok {
		t.Error("an empty clock knows a time")
	}
	start := time.Unix(1000, 0)
	at := func(seq int64) time.Time { return start.Add(time.Duration(seq) * 10 * time.Millisecond) }
	const n = 1_000_000
	for seq := int64(11); seq <= n; seq++ {
		c.Note(seq, seq, at(seq))
	}
	for _, x := range []struct{ seq, within int64 }{{n, 0}, {n - 100, 0}, {n - 1000, 10}, {n / 2, n / 2 / 50}, {11, n / 50}} {
		got, upTo, ok := c.At(x.seq)
		if late := got.Sub(at(x.seq)); !ok || upTo < x.seq || late < 0 || late > time.Duration(x.within)*10*time.Millisecond {
			t.Errorf("#%d: %v too late, up to #%d, %v", x.seq, late, upTo, ok)
		}
	}
	for _, seq := range []int64{10, n + 1} {
		if _, _, ok := c.At(seq); ok {
			t.Errorf("#%d is known", seq)
		}
	}
}

func TestCommitsThatFollowEachOtherShareANote(t *testing.T) {
	var c meter.Clock
	at := time.Unix(1000, 0)
	c.Note(1, 500, at)
	c.Note(501, 501, at.Add(time.Microsecond))
	c.Note(502, 502, at.Add(time.Second))
	if got, upTo, ok := c.At(3); !ok || !got.Equal(at) || upTo != 501 {
		t.Errorf("%v, up to #%d, %v", got, upTo, ok)
	}
}
