//go:build unix

package taskstest

import (
	"syscall"
	"testing"
	"time"
)

// ProcessorTime is what this process has used, and its children that have ended.
func ProcessorTime(t testing.TB) (total time.Duration) {
	t.Helper()
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			t.Fatal(err)
		}
		total += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return total
}
