package timeline

import (
	"slices"
	"strings"
	"time"

	"evrun/tasks/schedule"
	"evrun/tasks/schedule/slots"
)

const (
	mostGroups  = 20
	mostNames   = 20      // of a group
	mostMerged  = 400_000 // slots that are compared for one answer
	mostChanged = 200     // slots of a schedule that are looked at beside a change of the clock
)

// together finds slots of different schedules at the same time.
func (c *counting) together() {
	rare := c.rare(c.All, c.first(), c.end())
	for _, st := range c.of {
		if !slices.Contains(rare, st) {
			c.answer.Frequent = append(c.answer.Frequent, st.Name)
		}
	}
	of := make(map[*schedule.State]bool, len(c.of))
	for _, st := range c.of {
		of[st] = true
	}
	groups := map[string]*SlotGroup{}
	last := c.end().Add(-1)
	var at []*schedule.State // the schedules with a slot at one time
	looked := 0
	for m := merged(rare, c.first().Add(-1), last); len(m) > 0; {
		if looked++; looked > mostMerged {
			c.answer.Complete = false
			break
		}
		slot := m[0].slot
		for at = at[:0]; len(m) > 0 && m[0].slot.Equal(slot); m.advance(last) {
			if m[0].slot.After(m[0].of.Since) {
				at = append(at, m[0].of)
			}
		}
		if len(at) > 1 {
			c.group(groups, at, of, slot)
		}
	}
	for _, g := range groups {
		c.answer.Together = append(c.answer.Together, *g)
	}
	slices.SortFunc(c.answer.Together, func(a, b SlotGroup) int {
		if a.Slots != b.Slots {
			return int(b.Slots - a.Slots)
		}
		return slices.Compare(a.Schedules, b.Schedules)
	})
	c.answer.Together = c.answer.Together[:min(mostGroups, len(c.answer.Together))]
}

// group counts slots at one time, if one of them is of a chosen schedule.
func (c *counting) group(groups map[string]*SlotGroup, at []*schedule.State, chosenOf map[*schedule.State]bool, slot time.Time) {
	var names []string
	var chosen int64
	for _, st := range at {
		if names = append(names, st.Name); chosenOf[st] {
			chosen++
		}
	}
	if chosen == 0 {
		return
	}
	if day := c.at(slot); day != nil {
		day.Together += chosen
	}
	key := strings.Join(names, "\x00")
	g := groups[key]
	if g == nil {
		g = &SlotGroup{Schedules: names[:min(mostNames, len(names))], More: max(0, len(names)-mostNames)}
		groups[key] = g
	}
	if g.Slots++; g.Next == nil && slot.After(c.Now) {
		next := slot.In(at[0].Timing.Location())
		g.Next = &next
	}
}

// changes returns the changes of the clocks of the schedules' zones, with the slots that they affect.
func (c *counting) changes(days *time.Location) []ClockChange {
	list := []ClockChange{}
	zones := map[string][]*schedule.State{}
	names := []string{days.String()}
	zone := map[string]*time.Location{days.String(): days}
	for _, st := range c.of {
		loc := st.Timing.Location()
		if zone[loc.String()] == nil {
			names = append(names, loc.String())
			zone[loc.String()] = loc
		}
		zones[loc.String()] = append(zones[loc.String()], st)
	}
	for _, name := range names {
		for _, change := range slots.Changes(zone[name], c.first(), c.end()) {
			one := ClockChange{At: change.At.In(zone[name]), Timezone: name, Slots: []ChangedSlot{},
				From: change.At.Add(change.Before).Format("15:04"), To: change.At.Add(change.After).Format("15:04")}
			for _, st := range zones[name] {
				if slot, ok := changed(st, change); ok {
					one.Slots = append(one.Slots, slot)
				}
			}
			list = append(list, one)
		}
	}
	slices.SortStableFunc(list, func(a, b ClockChange) int { return a.At.Compare(b.At) })
	return list
}

// changed returns the first slot of a schedule that a change of the clock affects, and counts those that follow.
func changed(st *schedule.State, change slots.Change) (first ChangedSlot, found bool) {
	by := change.After - change.Before
	if by < 0 {
		by = -by
	}
	near, _ := st.Slots().Between(change.At.Add(-by-time.Second), change.At.Add(by), mostChanged)
	for _, slot := range near {
		words := st.Slots().ClockChange(slot)
		switch {
		case words == "":
		case !found:
			first, found = ChangedSlot{Schedule: st.Name, Slot: slot.In(st.Timing.Location()), Clock: words}, true
		default:
			first.More++
		}
	}
	return first, found
}
