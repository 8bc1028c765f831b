package shape

import (
	"time"

	"evrun/tasks/schedule"
	"evrun/tasks/schedule/timeline"
)

// Schedule is a schedule and its state.
type Schedule struct {
	Name        string            `json:"name"`
	Emit        string            `json:"emit"`
	Do          string            `json:"do,omitempty"` // the kind of its own handler, which has its name
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	When        string            `json:"when"` // in words
	Timezone    string            `json:"timezone"`
	Missed      string            `json:"missed"` // skip, last or all
	Grace       string            `json:"grace"`
	MaxMissed   int               `json:"max_missed,omitempty"` // with missed: all
	Overlap     string            `json:"overlap"`              // allow, skip or queue
	Paused      string            `json:"paused,omitempty"`     // "file", or "hand": with evrun schedules pause
	Waiting     bool              `json:"waiting,omitempty"`    // for the end of its last slot's runs
	Since       time.Time         `json:"since"`                // when it was first seen, or its timing changed
	Last        *time.Time        `json:"last,omitempty"`       // the last slot that was published
	LastRuns    *SlotRuns         `json:"last_runs,omitempty"`  // of the last slot; in the status of a daemon, and where asked for
	Except      *Except           `json:"except,omitempty"`     // the next time without slots
	Next        *time.Time        `json:"next,omitempty"`       // the next slot, paused or not
	Upcoming    []Slot            `json:"upcoming,omitempty"`   // the next slots, as many as were asked for
}

// Except is a time without slots.
type Except struct {
	From time.Time `json:"from"` // when it begins
	To   time.Time `json:"to"`   // exclusive
}

// Slot is one of the next slots of a schedule.
type Slot struct {
	Slot   time.Time `json:"slot"`
	Fire   time.Time `json:"fire"` // when it is published: later than the slot by its jitter
	Number int64     `json:"number"`
}

// LabelsOf implements [control.Labeled].
func (s Schedule) LabelsOf() map[string]string { return s.Labels }

// SlotRuns is what came of a slot.
type SlotRuns struct {
	Sequence int64          `json:"seq,string"` // of the slot's event
	States   map[string]int `json:"states"`     // how many of its runs are in which state; none: no handler has run on it yet
}

// AddLast adds what came of the last slots to schedules.
func AddLast(list []Schedule, last map[string]timeline.Last) {
	for i := range list {
		if l, ok := last[list[i].Name]; ok {
			list[i].LastRuns = &SlotRuns{Sequence: l.Sequence, States: l.States}
		}
	}
}

// MaxUpcoming is how many of its next slots a schedule is listed with at most.
const MaxUpcoming = 1000

// ScheduleOf returns the shape of a schedule, with its next n slots. Times are in its zone.
func ScheduleOf(st schedule.State, n int) Schedule {
	zone := st.Timing.Location()
	s := Schedule{
		Name: st.Name, Description: st.Description, Labels: st.Labels, Emit: st.Type, Do: st.Do, When: st.Timing.Describe(), Timezone: zone.String(),
		Missed: string(st.MissedPolicy()), Grace: st.GraceTime().String(), Overlap: string(st.OverlapPolicy()),
		Waiting: st.Waiting, Since: st.Since.In(zone),
	}
	if st.MissedPolicy() == schedule.MissedAll {
		s.MaxMissed = st.MissedMax()
	}
	switch {
	case st.Paused:
		s.Paused = "file"
	case st.PausedByHand:
		s.Paused = "hand"
	}
	if !st.Last.IsZero() {
		last := st.Last.In(zone)
		s.Last = &last
	}
	if off, ok := st.Timing.Excepted(time.Now()); ok {
		s.Except = &Except{From: off.From.In(zone), To: off.To.In(zone)}
	}
	for i, o := range st.Upcoming(max(n, 1)) {
		slot := Slot{Slot: o.Slot.In(zone), Fire: o.Fire.In(zone), Number: o.Number}
		if i == 0 {
			s.Next = &slot.Slot
		}
		if i < n {
			s.Upcoming = append(s.Upcoming, slot)
		}
	}
	return s
}

// SchedulesOf returns the shapes of schedules, each with its next n slots.
func SchedulesOf(states []schedule.State, n int) []Schedule {
	return Each(states, func(st schedule.State) Schedule { return ScheduleOf(st, n) })
}

// Paused answers a request to pause or to resume a schedule.
type Paused struct {
	Name    string `json:"name"`
	Paused  bool   `json:"paused"`
	Changed bool   `json:"changed"` // false: it was paused, or not paused, before
}
