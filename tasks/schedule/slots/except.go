package slots

import (
	"slices"
	"time"

	"evrun/tasks/fault"
)

// Span is a time from From, inclusive, to To, exclusive.
type Span struct{ From, To time.Time }

// Days returns the span of the days from the first to the last as a zone's clock shows them. Each is given by the midnight of its date in UTC. A day begins
// at the first instant at which the clock shows its date, or a later one.
func Days(zone *time.Location, first, last time.Time) Span {
	return Span{From: Showing(zone, first), To: Showing(zone, last.AddDate(0, 0, 1))}
}

// Showing returns the first instant at which a zone's clock shows a time or a later one. The time is given as the UTC time that reads the same.
func Showing(zone *time.Location, wall time.Time) time.Time {
	c, w := &clock{loc: zone}, wall.Unix()
	for u := w - maxOffset; ; { // before that no clock shows w
		p := c.period(u)
		if first := max(u, w-p.offset); first < p.end {
			return time.Unix(first, 0).UTC()
		}
		u = p.end
	}
}

// united sorts spans and unites those that touch. Empty ones are left out.
func united(spans []Span) []Span {
	spans = slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return !s.From.Before(s.To) })
	slices.SortFunc(spans, func(a, b Span) int { return a.From.Compare(b.From) })
	var list []Span
	for _, s := range spans {
		if last := len(list) - 1; last >= 0 && !s.From.After(list[last].To) {
			list[last].To = Later(list[last].To, s.To)
		} else {
			list = append(list, s)
		}
	}
	return list
}

// masked is a series without its slots in some spans, which are sorted and disjoint.
type masked struct {
	series
	off []Span
}

// from returns the spans that end after a time.
func (m masked) from(t time.Time) []Span {
	i, _ := slices.BinarySearchFunc(m.off, t, func(s Span, t time.Time) int {
		if s.To.After(t) {
			return 1
		}
		return -1
	})
	return m.off[i:]
}

func (m masked) next(after time.Time) (time.Time, bool) {
	for {
		slot, ok := m.series.next(after)
		if !ok {
			return slot, false
		}
		spans := m.from(slot)
		if len(spans) == 0 || slot.Before(spans[0].From) {
			return slot, true
		}
		after = spans[0].To.Add(-1)
	}
}

func (m masked) count(from, to time.Time) int64 {
	n := m.series.count(from, to)
	for _, s := range m.from(from) {
		if s.From.After(to) {
			break
		}
		if a, b := Later(from, s.From.Add(-1)), sooner(to, s.To.Add(-1)); a.Before(b) {
			n -= m.series.count(a, b)
		}
	}
	return n
}

func (m masked) nth(after time.Time, n int64) (time.Time, bool) {
	for _, s := range m.from(after) {
		if before := s.From.Add(-1); after.Before(before) {
			free := m.series.count(after, before)
			if free >= n {
				break
			}
			n -= free
		}
		after = Later(after, s.To.Add(-1))
	}
	return m.series.nth(after, n)
}

// Excepted returns the first span of [Spec.Except] that ends after a time.
func (s *Timing) Excepted(after time.Time) (Span, bool) {
	m, ok := s.fired.(masked)
	if !ok {
		return Span{}, false
	}
	spans := m.from(after)
	if len(spans) == 0 {
		return Span{}, false
	}
	return spans[0], true
}

// Passed returns the last slot in (from, to] that is excepted, if no other slot lies between from and it.
func (s *Timing) Passed(from, to time.Time) (time.Time, bool) {
	m, ok := s.fired.(masked)
	if !ok {
		return time.Time{}, false
	}
	if slot, ok := s.Next(from); ok && !slot.After(to) {
		to = slot.Add(-1)
	}
	whole := *s
	whole.fired = m.series
	return whole.Last(from, to)
}

// except takes the excepted spans out of the series.
func (s *Timing) except() *fault.Fault {
	s.fired = s.series
	off := united(s.spec.Except)
	s.spec.Except = nil
	if len(off) == 0 {
		return nil
	}
	if _, ok := s.Next(earliest.Add(-1)); !ok {
		return nil // another fault
	}
	s.fired = masked{s.series, off}
	if _, ok := s.Next(earliest.Add(-1)); !ok {
		return fault.At([]any{"except"}, "all slots of the schedule are excepted").Hinting("leave some of them in, or the schedule out")
	}
	return nil
}
