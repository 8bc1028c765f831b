package heatmap

import (
	"fmt"
	"time"

	"evrun/tasks/schedule/timeline"
)

const (
	laneWidth = 1000 // of a lane, in its own units
	mostLanes = 40
)

// Lanes draws the slots of schedules over some hours, a lane for each schedule.
type Lanes struct {
	Parts []string // the beginning of each part of the time, as a clock shows it
	Now   int      // where the present time is; 0: outside
	Lanes []Lane
}

// Lane is a schedule.
type Lane struct {
	Schedule string
	Text     string // how many slots it has, in words
	Ticks    []Tick
	Band     *Band // in place of ticks: it has too many
}

// Tick is a slot.
type Tick struct {
	X     int
	State string
}

// Band is a time full of slots.
type Band struct{ X, Width int }

// LanesOf draws a page of slots. It is nil for what has too many schedules to draw them, or one alone.
func LanesOf(p timeline.SlotList, begin, end time.Time, parts int, now time.Time) *Lanes {
	l := &Lanes{}
	x := func(t time.Time) int { return int(laneWidth * t.Sub(begin) / end.Sub(begin)) }
	for i := range parts {
		at := begin.Add(time.Duration(i) * end.Sub(begin) / time.Duration(parts))
		format := "15:04"
		if end.Sub(begin) > 48*time.Hour {
			format = "Mon 15:04"
		}
		l.Parts = append(l.Parts, at.Format(format))
	}
	if now.After(begin) && now.Before(end) {
		l.Now = max(1, x(now))
	}
	of := map[string]int{}
	for _, s := range p.Slots {
		i, known := of[s.Schedule]
		if !known {
			i, of[s.Schedule] = len(l.Lanes), len(l.Lanes)
			l.Lanes = append(l.Lanes, Lane{Schedule: s.Schedule})
		}
		state := s.State
		if s.Paused != "" {
			state = "paused"
		}
		l.Lanes[i].Ticks = append(l.Lanes[i].Ticks, Tick{x(s.Slot), state})
	}
	for i := range l.Lanes {
		l.Lanes[i].Text = count(int64(len(l.Lanes[i].Ticks)), "slot")
	}
	for _, f := range p.Folded {
		from := x(f.First)
		l.Lanes = append(l.Lanes, Lane{Schedule: f.Schedule, Text: fmt.Sprintf("%s, %s", count(f.Slots, "slot"), f.When), Band: &Band{from, max(2, x(f.Last)-from)}})
	}
	if len(l.Lanes) < 2 || len(l.Lanes) > mostLanes {
		return nil
	}
	return l
}
