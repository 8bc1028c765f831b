//go:build !linux

package guard

import "time"

// processorTime is the time by the clock: other systems don't say how much of a processor one thread of several had.
func processorTime() (read func() time.Duration, unlock func()) {
	begun := time.Now()
	return func() time.Duration { return time.Since(begun) }, func() {}
}
