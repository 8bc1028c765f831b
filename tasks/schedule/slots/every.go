package slots

import (
	"math"
	"math/bits"
	"slices"
	"time"

	"evrun/tasks/fault"
)

// every makes slots at whole multiples of an interval from its anchor, before and after it.
type every struct {
	interval time.Duration
	anchor   time.Time
}

// anchorOf returns the instant from which an interval's multiples are counted.
func anchorOf(from time.Time) time.Time {
	if from.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return from.Round(0).UTC()
}

func (e every) next(after time.Time) (time.Time, bool) {
	_, past := e.divide(after)
	slot := after.Add(e.interval - past).Round(0).UTC()
	return slot, slot.Before(latest)
}

func (e every) count(from, to time.Time) int64 {
	a, _ := e.divide(from)
	b, _ := e.divide(to)
	return b - a
}

func (e every) nth(after time.Time, n int64) (time.Time, bool) {
	first, ok := e.next(after)
	if !ok {
		return time.Time{}, false
	}
	hi, lo := bits.Mul64(uint64(n-1), uint64(e.interval))
	if hi >= uint64(time.Second) {
		return time.Time{}, false
	}
	seconds, nanos := bits.Div64(hi, lo, uint64(time.Second))
	if seconds >= uint64(latest.Unix()-first.Unix()) {
		return time.Time{}, false
	}
	slot := time.Unix(first.Unix()+int64(seconds), int64(first.Nanosecond())+int64(nanos)).UTC()
	return slot, slot.Before(latest)
}

// divide returns how many whole intervals lie between the anchor and t, rounded down, and how long ago the last of them
// ended. Nanoseconds since the year 1 don't fit 64 bits, hence the long division.
func (e every) divide(t time.Time) (n int64, past time.Duration) {
	seconds, nanos := t.Unix()-e.anchor.Unix(), int64(t.Nanosecond()-e.anchor.Nanosecond())
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+int64(time.Second)
	}
	y := uint64(e.interval)
	if seconds >= 0 {
		hi, lo := bits.Mul64(uint64(seconds), uint64(time.Second))
		lo, carry := bits.Add64(lo, uint64(nanos), 0)
		q, r := divide128(hi+carry, lo, y)
		return q, time.Duration(r)
	}
	hi, lo := bits.Mul64(uint64(-seconds), uint64(time.Second))
	lo, borrow := bits.Sub64(lo, uint64(nanos), 0)
	q, r := divide128(hi-borrow, lo, y)
	if r == 0 {
		return -q, 0
	}
	return -q - 1, time.Duration(y - r)
}

// divide128 divides a 128-bit number; a quotient beyond an int64 is its maximum.
func divide128(hi, lo, y uint64) (q int64, r uint64) {
	if hi >= y {
		return math.MaxInt64 - 1, bits.Rem64(hi, lo, y)
	}
	quo, r := bits.Div64(hi, lo, y)
	return int64(min(quo, math.MaxInt64-1)), r
}

// list has slots that were given one by one: sorted, without duplicates.
type list []time.Time

// listOf checks times and sorts them.
func listOf(times []time.Time) (list, *fault.Fault) {
	if len(times) > maxAt {
		return nil, fault.At([]any{"at", maxAt}, "%d times are more than %d", len(times), maxAt)
	}
	at := make(list, 0, len(times))
	for i, t := range times {
		if !inRange(t) {
			return nil, fault.At([]any{"at", i}, "at lies outside the years 1 to 9999")
		}
		at = append(at, t.Round(0).UTC())
	}
	slices.SortFunc(at, time.Time.Compare)
	return slices.CompactFunc(at, time.Time.Equal), nil
}

// after returns the index of the first slot that is after t.
func (l list) after(t time.Time) int {
	i, found := slices.BinarySearchFunc(l, t, time.Time.Compare)
	if found {
		i++
	}
	return i
}

func (l list) next(after time.Time) (time.Time, bool) { return l.nth(after, 1) }

func (l list) count(from, to time.Time) int64 { return int64(l.after(to) - l.after(from)) }

func (l list) nth(after time.Time, n int64) (time.Time, bool) {
	i := l.after(after)
	if n > int64(len(l)-i) {
		return time.Time{}, false
	}
	return l[i+int(n)-1], true
}
