package meter

import (
	"math"
	"time"
)

// Counts are the counts of a [Histogram] at a time, or what came to them between two times.
type Counts [buckets * parts]uint64

// Counts returns the counts as they are now. Those of a sample that is being added may be in it in part.
func (h *Histogram) Counts() (c Counts) {
	for i := range h.counts {
		c[i] = h.counts[i].Load()
	}
	return c
}

// Minus is what came to the counts since they were before.
func (c Counts) Minus(before Counts) Counts {
	for i := range c {
		c[i] -= min(c[i], before[i])
	}
	return c
}

// Plus adds what came to other counts.
func (c Counts) Plus(more Counts) Counts {
	for i := range c {
		c[i] += more[i]
	}
	return c
}

// Quantiles returns the times that the given parts of all times are not above, each in (0, 1], in ascending order; false: nothing was counted. They
// are exact to a part: a quarter of a bucket, within which times are taken to be spread evenly.
func (c *Counts) Quantiles(into []time.Duration, of ...float64) bool {
	var total, below uint64
	for _, n := range c {
		total += n
	}
	if total == 0 {
		return false
	}
	i := 0
	for k, q := range of {
		rank := max(q*float64(total), 1)
		for i < len(c)-1 && float64(below+c[i]) < rank {
			below += c[i]
			i++
		}
		into[k] = within(i, (rank-float64(below))/float64(max(c[i], 1)))
	}
	return true
}

// within is the time at a share of a part. The last bucket is its lower bound.
func within(i int, share float64) time.Duration {
	bucket, k := i/parts, i%parts
	if bucket == len(Bounds) {
		return Bounds[len(Bounds)-1]
	}
	low, high := edge(bucket)
	if k > 0 {
		low = edges[bucket][k-1]
	}
	if k < parts-1 {
		high = edges[bucket][k]
	}
	if i == 0 {
		return time.Duration(share * float64(high)) // it begins at zero
	}
	return time.Duration(float64(low) * math.Pow(float64(high)/float64(low), share))
}
