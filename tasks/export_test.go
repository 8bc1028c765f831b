package tasks

import "time"

// SweepEvery sets how often new runners sweep; the returned function undoes it.
func SweepEvery(d time.Duration) (undo func()) {
	was := sweepEvery
	sweepEvery = d
	return func() { sweepEvery = was }
}

// MaxHeldKeys sets how many keys, and about how many stored runs, an ordered handler has in memory; the returned function undoes it.
func MaxHeldKeys(n int) (undo func()) {
	heldKeys = n
	return func() { heldKeys = 0 }
}

// SaveEvery sets how often the outputs of running attempts are saved; the returned function undoes it.
func SaveEvery(d time.Duration) (undo func()) {
	was := saveEvery
	saveEvery = d
	return func() { saveEvery = was }
}
