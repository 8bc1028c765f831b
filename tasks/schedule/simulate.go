package schedule

import (
	"container/heap"
	"iter"
	"strings"
	"time"

	"evrun/tasks/schedule/slots"
)

// Span is a time from From, inclusive, to To, exclusive.
type Span struct{ From, To time.Time }

// Simulated is a slot of a simulation, and what happens to it.
type Simulated struct {
	Entry   *Entry
	Slot    time.Time
	Number  int64     // counted from the start of the simulation, unless the schedule has its own start
	At      time.Time // when its event is published; zero: never
	Missed  bool      // evrun did not run at its time
	Paused  bool      // the wiring file pauses the schedule
	Changed string    // how a clock change affects it: see [slots.Timing.ClockChange]
}

// Simulate returns the slots of schedules in a span, ordered by time, and at one time in the order of the entries. It assumes that
// evrun runs all the time except during the spans in down, which are ordered and disjoint, and first sees each schedule at the start
// of the span. It follows [slots.Timing.Next] and [Entry.Decide], as the daemon does; it does not know how long runs take, and so
// ignores overlap. Memory grows with the entries, not with the slots.
func Simulate(entries []*Entry, during Span, down []Span) iter.Seq[Simulated] {
	return func(yield func(Simulated) bool) {
		var heads simulations
		defer func() {
			for _, s := range heads {
				s.stop()
			}
		}()
		for i, e := range entries {
			next, stop := iter.Pull(e.simulate(during, down))
			if head, ok := next(); ok {
				heads = append(heads, &simulation{head: head, order: i, next: next, stop: stop})
			} else {
				stop()
			}
		}
		heap.Init(&heads)
		for len(heads) > 0 {
			first := heads[0]
			if !yield(first.head) {
				return
			}
			var ok bool
			if first.head, ok = first.next(); ok {
				heap.Fix(&heads, 0)
			} else {
				heap.Pop(&heads)
			}
		}
	}
}

// simulate returns the slots of one schedule.
func (e *Entry) simulate(during Span, down []Span) iter.Seq[Simulated] {
	return func(yield func(Simulated) bool) {
		timing := e.Timing.CountedFrom(during.From.Add(-1))
		mark := during.From.Add(-1)
		tell := func(slot, at time.Time, missed bool) bool {
			if !slot.Before(during.To) {
				return false
			}
			mark = slot
			number, _ := timing.Number(slot)
			if e.Paused {
				at = time.Time{}
			}
			return yield(Simulated{Entry: e, Slot: slot, Number: number, At: at, Missed: missed, Paused: e.Paused, Changed: timing.ClockChange(slot)})
		}
		until := func(end time.Time) bool {
			for {
				slot, ok := timing.Next(mark)
				if !ok {
					return false
				}
				at := timing.Fire(slot)
				if !end.IsZero() && !at.Before(end) {
					return true
				}
				if !tell(slot, at, false) {
					return false
				}
			}
		}
		for _, d := range down {
			if !until(d.From) {
				return
			}
			for {
				dec := e.Decide(timing, mark, d.To, maxBatch)
				if dec.Mark.Equal(mark) {
					break
				}
				for range dec.Dropped.Count {
					slot, _ := timing.Next(mark)
					if !tell(slot, time.Time{}, true) {
						return
					}
				}
				for i, slot := range dec.Publish {
					if !tell(slot, slots.Later(d.To, timing.Fire(slot)), i < dec.Late) {
						return
					}
				}
			}
		}
		until(time.Time{})
	}
}

// simulation is a running schedule with its next slot.
type simulation struct {
	head  Simulated
	order int
	next  func() (Simulated, bool)
	stop  func()
}

// simulations is a heap, ordered by slot.
type simulations []*simulation

func (s simulations) Len() int { return len(s) }
func (s simulations) Less(i, j int) bool {
	if c := s[i].head.Slot.Compare(s[j].head.Slot); c != 0 {
		return c < 0
	}
	return s[i].order < s[j].order
}
func (s simulations) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *simulations) Push(x any)   { *s = append(*s, x.(*simulation)) }
func (s *simulations) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// Remarks describes in a few words why a slot is special; "" for one that is published on time.
func (s Simulated) Remarks() string {
	var words []string
	switch {
	case s.Paused:
		words = append(words, "paused: left out")
	case s.At.IsZero():
		words = append(words, "missed: left out")
	case s.Missed:
		words = append(words, "missed: published late")
	}
	if s.Changed != "" {
		words = append(words, s.Changed)
	}
	return strings.Join(words, "; ")
}
