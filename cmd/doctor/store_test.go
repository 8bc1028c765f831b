package doctor

import (
	"math"
	"testing"
	"time"
)

func TestHowLongTheDiskLasts(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		grown      time.Duration
		free, used int64
		want       time.Duration
	}{
		{day, 100, 100, day},
		{10 * day, 50, 100, 5 * day},
		{day, 20, 1, soonFull},
		{100 * 365 * day, math.MaxInt64, 1, soonFull}, // more than a duration can be
	} {
		if got := lasting(c.grown, c.free, c.used); got != c.want {
			t.Errorf("grown for %v, %d free, %d used: %v, not %v", c.grown, c.free, c.used, got, c.want)
		}
	}
}
