package daemon

import (
	"testing"
	"time"
)

// A file that is saved in several steps is read when it has been quiet for a second, once, and not in between.
func TestAFileIsReadWhenItHasBeenQuietForASecond(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	var q quiet
	for _, look := range []struct {
		at   time.Duration
		sees string
		want bool
	}{
		{0, "a", false},
		{500 * time.Millisecond, "a", false},
		{time.Second, "a", true}, // it may have changed since it was read
		{1500 * time.Millisecond, "a", false},
		{2 * time.Second, "half", false},
		{2500 * time.Millisecond, "half", false},
		{2510 * time.Millisecond, "half", false}, // looks may come fast after a late one
		{2900 * time.Millisecond, "whole", false},
		{3400 * time.Millisecond, "whole", false},
		{3899 * time.Millisecond, "whole", false},
		{3900 * time.Millisecond, "whole", true},
		{4400 * time.Millisecond, "whole", false},
	} {
		if got := q.look(look.sees, start.Add(look.at)); got != look.want {
			t.Errorf("at %v it sees %s: %v", look.at, look.sees, got)
		}
	}
}
