package tasks

import "time"

// SweepEvery sets how often runners that start from now on sweep, until it is undone.
func SweepEvery(d time.Duration) (undo func()) {
	was := sweepEvery
	sweepEvery = d
	return func() { sweepEvery = was }
}
