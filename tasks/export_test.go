package tasks

import "time"

// SweepEvery sets how often runners that start from now on sweep, until it is undone.
func SweepEvery(d time.Duration) (undo func()) {
	was := sweepEvery
	sweepEvery = d
	return func() { sweepEvery = was }
}

// MaxHeldKeys sets how many keys, and about how many stored runs, an ordered handler has in memory, until it is undone.
func MaxHeldKeys(n int) (undo func()) {
	heldKeys = n
	return func() { heldKeys = 0 }
}
