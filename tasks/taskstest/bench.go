//go:build unix

package taskstest

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"evrun/tasks"
	"evrun/tasks/control"
)

// Rates are the results of a benchmark's rounds, such as events a second.
type Rates []float64

// Median returns the middle one.
func (r Rates) Median() float64 {
	sorted := slices.Sorted(slices.Values(r))
	return sorted[len(sorted)/2]
}

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

// AllSettled waits until every handler has settled its runs on all events. It looks every 20 ms: a look costs the store a count of the pending runs.
func AllSettled(t testing.TB, r *tasks.Runner) {
	t.Helper()
	for ticker := time.Tick(20 * time.Millisecond); ; <-ticker {
		list, err := r.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(list, func(h control.HandlerStatus) bool { return h.Behind > 0 }) {
			return
		}
	}
}
