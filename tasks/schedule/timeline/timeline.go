// Package timeline shows schedules over time: the slots of many of them in one order, those that come and what became of those that passed; how many
// there are on each day of a year; which slots of different schedules fall together; and what changes of the clock do to them.
//
// The times of slots are computed, and what became of them is read from the journal: the event of a slot has the schedule's source and an id that is the
// slot's time, and slots that were left out are in events of type evrun.schedule.missed. The work is bounded, however many slots a schedule has: days are
// counted without a look at each slot, and what the journal is searched for ends with a budget of time. An answer says so where it is not complete.
//
// No goroutines.
package timeline

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/schedule"
)

// Journal is what the past of schedules is read from.
type Journal interface {
	Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error)
	ScanEvents(ctx context.Context, q store.EventQuery, look int) (store.Part[*events.Event], error)
	AcceptedAt(ctx context.Context, sequence int64) (time.Time, error)
	Pruning(ctx context.Context) (store.Pruning, error)
	Handlers(ctx context.Context, names ...string) ([]store.Consumer, error)
	Runs(ctx context.Context, q store.RunQuery) ([]store.Run, error)
	ScanRuns(ctx context.Context, q store.RunQuery, look int) (store.Part[store.Run], error)
}

// Schedules are the schedules of a store, as a scheduler has them.
type Schedules struct {
	Journal Journal                  // nil: there is no store yet
	Source  func(part string) string // of the events of one of evrun's parts
	All     []schedule.State
	Now     time.Time
}

// States of a slot.
const (
	Coming    = "coming"    // its time lies ahead
	Due       = "due"       // its time has passed, and nothing is decided: its schedule is paused, or waits for the runs of another slot
	Published = "published" // its event is in the journal
	Missed    = "missed"    // the journal says that it was left out
	Unknown   = "unknown"   // the journal has nothing about it (any more), or its schedule did not exist then
)

// ScheduleSlot is a slot of one of several schedules.
type ScheduleSlot struct {
	Slot     time.Time `json:"slot"` // in the zone of its schedule
	Fire     time.Time `json:"fire"` // when it is published, if that is on time: later than the slot by its jitter
	Schedule string    `json:"schedule"`
	Emit     string    `json:"emit"`             // the type of its event
	Number   int64     `json:"number,omitempty"` // among the slots of its schedule, from 1; absent: it lies before the schedule was first seen
	State    string    `json:"state"`            // coming, due, published, missed or unknown
	Paused   string    `json:"paused,omitempty"` // of a coming slot: its schedule is paused in the file, or by hand, so that the slot will be missed
	Clock    string    `json:"clock,omitempty"`  // what a change of the zone's clock does to it, in words
	With     []string  `json:"with,omitempty"`   // other schedules with a slot at the same time, those with more than 12 slots a day left out

	Sequence int64          `json:"seq,string,omitempty"` // the seq of its event
	Runs     map[string]int `json:"runs,omitempty"`       // the runs of its event, counted by state
	Reason   string         `json:"reason,omitempty"`     // of a missed slot: missed, paused, overlap or error
}

// FoldedSlots counts the slots of a schedule with too many to list.
type FoldedSlots struct {
	Schedule string    `json:"schedule"`
	When     string    `json:"when"`             // its times, in words
	Paused   string    `json:"paused,omitempty"` // file or hand: it is paused there
	Slots    int64     `json:"slots"`            // how many slots it has in the time
	First    time.Time `json:"first"`            // its first slot in the time
	Last     time.Time `json:"last"`             // its last one
}

// SlotList is a page of slots.
type SlotList struct {
	Slots  []ScheduleSlot `json:"slots"`          // sorted by time; those of one time in the order of the file
	Folded []FoldedSlots  `json:"folded"`         // schedules with more slots than the request wants listed: they are only counted
	Next   *time.Time     `json:"next,omitempty"` // where the next page begins; absent: this is the last one
}

// Query selects slots.
type Query struct {
	Names    []string // of the schedules; nil: all
	From, To time.Time
	Limit    int  // the page ends when it has so many; the slots of one time stay together
	Newest   bool // the last slots of the time first, instead of the first ones
	// Fold is how many slots a schedule may have in the time without being folded; 0: no bound.
	Fold int
}

// pausedBy says how a schedule is paused; empty: it is not.
func pausedBy(st *schedule.State) string {
	switch {
	case st.Paused:
		return "file"
	case st.PausedByHand:
		return "hand"
	}
	return ""
}

func (s *Schedules) chosen(names []string) (list []*schedule.State) {
	for i := range s.All {
		if names == nil || slices.Contains(names, s.All[i].Name) {
			list = append(list, &s.All[i])
		}
	}
	return list
}

// Page returns the slots of a time.
func (s *Schedules) Page(ctx context.Context, q Query) (SlotList, error) {
	page := SlotList{Slots: []ScheduleSlot{}, Folded: []FoldedSlots{}}
	var listed []*schedule.State
	before, last := q.From.Add(-1), q.To.Add(-1)
	for _, st := range s.chosen(q.Names) {
		n := int64(0)
		if q.Fold > 0 {
			n = st.Slots().Count(before, last)
		}
		if n <= int64(q.Fold) {
			listed = append(listed, st)
			continue
		}
		f := FoldedSlots{Schedule: st.Name, When: st.Timing.Describe(), Paused: pausedBy(st), Slots: n}
		f.First, _ = st.Slots().Next(before)
		f.Last, _ = st.Slots().Nth(before, n)
		zone := st.Timing.Location()
		f.First, f.Last = f.First.In(zone), f.Last.In(zone)
		page.Folded = append(page.Folded, f)
	}
	of, at, next := q.pick(listed)
	page.Next = next
	rare := s.rare(s.All, q.From, q.From.AddDate(0, 0, 1))
	for i, st := range of {
		page.Slots = append(page.Slots, s.slot(st, at[i], rare))
	}
	if err := s.past(ctx, page.Slots, of); err != nil {
		return page, err
	}
	if q.Newest {
		slices.Reverse(page.Slots)
	}
	return page, nil
}

// pick returns the slots of a page in order of time: their schedules, their times, and where the next page begins.
func (q *Query) pick(listed []*schedule.State) (of []*schedule.State, at []time.Time, next *time.Time) {
	begin, last := q.From.Add(-1), q.To.Add(-1)
	if q.Newest {
		return q.newest(listed, begin, last)
	}
	for m := merged(listed, begin, last); len(m) > 0; m.advance(last) {
		first := m[0]
		if n := len(at); n >= q.Limit && !at[n-1].Equal(first.slot) {
			return of, at, &first.slot
		}
		of, at = append(of, first.of), append(at, first.slot)
	}
	return of, at, nil
}

// newest is pick for the last slots of the time. Of each schedule, only as many are looked at as the page has at most.
func (q *Query) newest(listed []*schedule.State, begin, last time.Time) (of []*schedule.State, at []time.Time, next *time.Time) {
	var m merge
	for i, st := range listed {
		n := st.Slots().Count(begin, last)
		if slot, ok := st.Slots().Nth(begin, max(1, n-int64(q.Limit))); ok && n > 0 {
			m = append(m, &head{st, i, slot})
		}
	}
	for heap.Init(&m); len(m) > 0; m.advance(last) {
		of, at = append(of, m[0].of), append(at, m[0].slot)
	}
	if len(at) <= q.Limit {
		return of, at, nil
	}
	from := len(at) - q.Limit
	for from > 0 && at[from-1].Equal(at[from]) {
		from--
	}
	if from == 0 {
		return of, at, nil
	}
	return of[from:], at[from:], &at[from]
}

// slot describes a slot, without what became of it.
func (s *Schedules) slot(st *schedule.State, at time.Time, rare []*schedule.State) ScheduleSlot {
	zone := st.Timing.Location()
	slot := ScheduleSlot{Slot: at.In(zone), Fire: st.Slots().Fire(at).In(zone), Schedule: st.Name, Emit: st.Type, State: Unknown, Clock: st.Slots().ClockChange(at)}
	slot.Number, _ = st.Slots().Number(at)
	if slot.Number < 1 {
		slot.Number = 0
	}
	for _, other := range rare {
		if other == st {
			continue
		}
		if next, ok := other.Slots().Next(at.Add(-1)); ok && next.Equal(at) {
			slot.With = append(slot.With, other.Name)
		}
	}
	switch {
	case at.After(s.Now):
		slot.State, slot.Paused = Coming, pausedBy(st)
	case at.After(st.Decided()):
		slot.State, slot.Paused = Due, pausedBy(st)
	}
	return slot
}

// rarely is how many slots a day a schedule has at most, if it is worth a word that one of them falls together with another schedule's.
const rarely = 12

// rare returns the schedules with few slots in a time of some days.
func (s *Schedules) rare(all []schedule.State, from, to time.Time) (list []*schedule.State) {
	most := int64(rarely * max(1, to.Sub(from).Hours()/24))
	for i := range all {
		if all[i].Slots().Count(from.Add(-1), to.Add(-1)) <= most {
			list = append(list, &all[i])
		}
	}
	return list
}

// merge is a heap of schedules by their next slots, and of those at the same time by their order.
type merge []*head

type head struct {
	of    *schedule.State
	order int
	slot  time.Time
}

// merged begins with the slots after a time, up to another.
func merged(of []*schedule.State, after, last time.Time) merge {
	var m merge
	for i, st := range of {
		if slot, ok := st.Slots().Next(after); ok && !slot.After(last) {
			m = append(m, &head{st, i, slot})
		}
	}
	heap.Init(&m)
	return m
}

// advance goes on after the first slot.
func (m *merge) advance(last time.Time) {
	first := (*m)[0]
	if slot, ok := first.of.Slots().Next(first.slot); ok && !slot.After(last) {
		first.slot = slot
		heap.Fix(m, 0)
		return
	}
	heap.Pop(m)
}

// Len implements [heap.Interface].
func (m merge) Len() int { return len(m) }

// Less implements [heap.Interface].
func (m merge) Less(i, j int) bool {
	if c := m[i].slot.Compare(m[j].slot); c != 0 {
		return c < 0
	}
	return m[i].order < m[j].order
}

// Swap implements [heap.Interface].
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }

// Push implements [heap.Interface].
func (m *merge) Push(x any) { *m = append(*m, x.(*head)) }

// Pop implements [heap.Interface].
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}
