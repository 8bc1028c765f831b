package taskstest

import (
	"slices"
	"testing"
	"time"

	"evrun/store"
)

// Rates are the results of a benchmark's rounds, such as events a second.
type Rates []float64

// Median returns the middle one.
func (r Rates) Median() float64 {
	sorted := slices.Sorted(slices.Values(r))
	return sorted[len(sorted)/2]
}

// AllSettled waits until every handler has settled its runs on all events, of which the last one is for each of them: their stored marks have reached
// it. A look, every 20 ms, costs the store hardly anything.
func AllSettled(t testing.TB, s store.Store) {
	t.Helper()
	for ticker := time.Tick(20 * time.Millisecond); ; <-ticker {
		head, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.Handlers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(list, func(c store.Consumer) bool { return c.LowWater < head }) {
			return
		}
	}
}
