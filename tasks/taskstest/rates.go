package taskstest

import "slices"

// Rates are the results of a benchmark's rounds, such as events a second.
type Rates []float64

// Median returns the middle one.
func (r Rates) Median() float64 {
	sorted := slices.Sorted(slices.Values(r))
	return sorted[len(sorted)/2]
}
