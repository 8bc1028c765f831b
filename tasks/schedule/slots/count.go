package slots

import "time"

// Count returns the number of slots in (from, to]. Its cost grows with the months between them at most, never with the
// slots: three years of `every: 1s` take well under a microsecond, three years of `* * * * * *` a few.
func (s *Timing) Count(from, to time.Time) int64 {
	from = Later(from, s.from.Add(-1))
	to = sooner(to, s.until.Add(-1))
	if !from.Before(to) {
		return 0
	}
	return s.fired.count(from, to)
}

// Nth returns the n-th slot after a time, from 1: Nth(t, 1) is Next(t). It is false when there are fewer, or n < 1.
// With Count it cuts a long backlog cheaply: the newest 1,000 of n slots in (from, to] are those after
// Nth(from, n-1000).
func (s *Timing) Nth(after time.Time, n int64) (slot time.Time, ok bool) {
	if n < 1 {
		return time.Time{}, false
	}
	slot, ok = s.fired.nth(Later(after, s.from.Add(-1)), n)
	if !ok || !slot.Before(s.until) {
		return time.Time{}, false
	}
	return slot, true
}

// Last returns the newest slot in (from, to].
func (s *Timing) Last(from, to time.Time) (slot time.Time, ok bool) {
	return s.Nth(from, s.Count(from, to))
}

// Number returns a slot's number: 1 for the first that is not before From, for the first of At, or for the first after
// what [Timing.CountedFrom] was given. It is false where no such beginning is known.
func (s *Timing) Number(slot time.Time) (n int64, ok bool) {
	if !s.counted {
		return 0, false
	}
	return s.Count(s.base, slot), true
}

// Occurrence is a slot that lies ahead.
type Occurrence struct {
	Slot   time.Time
	Fire   time.Time // when it is published: the slot and its jitter
	Number int64     // among the schedule's slots, from 1; 0: no beginning is known
}

// Upcoming returns the next n slots after a time, or as many as there are.
func (s *Timing) Upcoming(after time.Time, n int) []Occurrence {
	slots, _ := s.Between(after, latest, n)
	list := make([]Occurrence, len(slots))
	for i, slot := range slots {
		number, _ := s.Number(slot)
		list[i] = Occurrence{Slot: slot, Fire: s.Fire(slot), Number: number}
	}
	return list
}
