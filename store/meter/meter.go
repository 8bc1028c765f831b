// Package meter has the numbers that the hot paths keep for the metrics: histograms, and the times at which events were accepted. Nothing in it has
// a name or a label, looks anything up, or allocates once it is made: whoever measures holds what it measures into, and collects the values of a
// group in a Sample of its own before it adds them.
//
//	var s meter.Sample
//	for _, run := range batch {
//		s.Observe(run.Wait)
//	}
//	handler.Waits.Add(&s) // once for the batch
//
// Package cmd/metrics gives the numbers their names.
package meter

import (
	"sync/atomic"
	"time"
)

// Bounds are the upper bounds of the buckets of times: from a millisecond to four hours, for what takes microseconds in a transaction and what waits
// for a paused handler. There are few, because each handler has all of them.
var Bounds = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2500 * time.Millisecond,
	10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 4 * time.Hour,
}

// buckets is one for each of Bounds, and one for what is above all of them.
const buckets = len(Bounds) + 1

// Sample is what one goroutine has observed and not yet added to a [Histogram]. The zero value is empty.
type Sample struct {
	counts [buckets]uint64
	sum    time.Duration
	n      int
}

// Observe counts a time. A negative one, after a step of the clock, counts as none.
func (s *Sample) Observe(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(Bounds) && d > Bounds[i] {
		i++
	}
	s.counts[i]++
	s.sum += d
	s.n++
}

// Histogram counts times by Bounds. The zero value is empty. Safe for concurrent use.
type Histogram struct {
	counts [buckets]atomic.Uint64
	sum    atomic.Int64
}

// Add adds a sample, and empties it.
func (h *Histogram) Add(s *Sample) {
	if s.n == 0 {
		return
	}
	for i, n := range s.counts {
		if n > 0 {
			h.counts[i].Add(n)
		}
	}
	h.sum.Add(int64(s.sum))
	*s = Sample{}
}

// Observe counts one time.
func (h *Histogram) Observe(d time.Duration) {
	var s Sample
	s.Observe(d)
	h.Add(&s)
}

// Read returns how many times there were in all, their sum in seconds, and how many were at most each of Bounds, by the bound in seconds.
func (h *Histogram) Read() (count uint64, sum float64, atMost map[float64]uint64) {
	atMost = make(map[float64]uint64, len(Bounds))
	for i := range h.counts {
		count += h.counts[i].Load()
		if i < len(Bounds) {
			atMost[Bounds[i].Seconds()] = count
		}
	}
	return count, time.Duration(h.sum.Load()).Seconds(), atMost
}
