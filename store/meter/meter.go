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
	"math"
	"sync/atomic"
	"time"
)

// Bounds are the upper bounds of the buckets of times: from a millisecond to four hours, for what takes microseconds in a transaction and what waits
// for a paused handler. There are few, because each handler has all of them in a scrape.
var Bounds = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2500 * time.Millisecond,
	10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 4 * time.Hour,
}

// buckets is one for each of Bounds, and one for what is above all of them.
const buckets = len(Bounds) + 1

// parts is how many parts of equal ratio a bucket has, for quantiles: in one of them, the largest time is at most 1.5 times the smallest.
const parts = 4

// edges are the upper bounds of the parts of each bucket but the last one, whose bound is the bucket's. The last bucket is one part.
var edges = func() (all [buckets][parts - 1]time.Duration) {
	for i := range all {
		low, high := edge(i)
		for k := range all[i] {
			all[i][k] = time.Duration(float64(low) * math.Pow(float64(high)/float64(low), float64(k+1)/parts))
		}
	}
	return all
}()

// edge returns between which times a bucket is divided into parts.
func edge(bucket int) (low, high time.Duration) {
	switch bucket {
	case 0:
		return Bounds[0] / 16, Bounds[0]
	case len(Bounds):
		return math.MaxInt64, math.MaxInt64
	}
	return Bounds[bucket-1], Bounds[bucket]
}

// part returns the part that a time belongs to.
func part(d time.Duration) int {
	i, k := 0, 0
	for i < len(Bounds) && d > Bounds[i] {
		i++
	}
	for k < parts-1 && d > edges[i][k] {
		k++
	}
	return i*parts + k
}

// Sample is what one goroutine has observed and not yet added to a [Histogram]. The zero value is empty.
type Sample struct {
	counts [buckets * parts]uint64
	sum    time.Duration
	n      int
}

// Observe counts a time. A negative one, after a step of the clock, counts as none.
func (s *Sample) Observe(d time.Duration) {
	d = max(d, 0)
	s.counts[part(d)]++
	s.sum += d
	s.n++
}

// Histogram counts times by the parts of Bounds. The zero value is empty. Safe for concurrent use.
type Histogram struct {
	counts [buckets * parts]atomic.Uint64
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
		if i%parts == parts-1 && i/parts < len(Bounds) {
			atMost[Bounds[i/parts].Seconds()] = count
		}
	}
	return count, time.Duration(h.sum.Load()).Seconds(), atMost
}
