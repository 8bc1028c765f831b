package timeline

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/schedule"
)

const (
	budget    = 100 * time.Millisecond // for one search of the journal
	lookStep  = 20_000                 // sequences of the journal in one query of a search
	mostTypes = 20                     // so many types are searched for by their names
	fewEvents = 400                    // so many slots of a schedule are looked up one by one
)

// past adds what became of the slots that have passed; of has their schedules.
func (s *Schedules) past(ctx context.Context, slots []ScheduleSlot, of []*schedule.State) error {
	n := 0 // passed slots; the others come after them
	for n < len(slots) && slots[n].State != Coming {
		n++
	}
	if n == 0 || s.Journal == nil {
		return nil
	}
	missed, err := s.missed(ctx, slots[0].Slot, of[:n])
	if err != nil {
		return err
	}
	for i := range slots[:n] {
		slot, st := &slots[i], of[i]
		e, err := s.eventOf(ctx, st, slot.Slot)
		switch {
		case err != nil:
			return err
		case e != nil:
			slot.State, slot.Sequence = Published, e.Sequence
			if slot.Runs, err = s.runsOf(ctx, e.Sequence); err != nil {
				return err
			}
		case slot.State != Due:
			if slot.Reason = missed.reason(st, slot.Slot); slot.Reason != "" {
				slot.State = Missed
			}
		}
	}
	return nil
}

// recorded returns the time from which on the journal has all events: what was accepted before may be pruned. Zero: nothing was.
func (s *Schedules) recorded(ctx context.Context) (time.Time, error) {
	if s.Journal == nil {
		return time.Time{}, nil
	}
	p, err := s.Journal.Pruning(ctx)
	if err != nil || p.Scanned == 0 {
		return time.Time{}, err
	}
	t, err := s.Journal.AcceptedAt(ctx, p.Scanned+1)
	if errors.Is(err, store.ErrNotFound) {
		return s.Now, nil
	}
	return t, err
}

// eventOf returns the event of a slot, or nil.
func (s *Schedules) eventOf(ctx context.Context, st *schedule.State, slot time.Time) (*events.Event, error) {
	for _, part := range st.Parts() {
		found, err := s.Journal.Events(ctx, store.EventQuery{ID: schedule.SlotID(slot), Source: s.Source(part), Limit: 1})
		if err != nil || len(found) > 0 {
			return append(found, nil)[0], err
		}
	}
	return nil, nil
}

// runsOf counts the runs of an event by their states.
func (s *Schedules) runsOf(ctx context.Context, sequence int64) (map[string]int, error) {
	runs, err := s.Journal.Runs(ctx, store.RunQuery{Sequence: sequence, Bare: true})
	states := map[string]int{}
	for _, run := range runs {
		states[run.State.String()]++
	}
	return states, err
}

// Last is what came of the last slot of a schedule.
type Last struct {
	Sequence int64
	States   map[string]int // how many of its runs are in which state
}

// LastSlots looks up what came of the last slot of each schedule, by their names, as far as there is time. A schedule without one is missing, as is one
// whose last slot's event is not stored any more.
func (s *Schedules) LastSlots(ctx context.Context, within time.Duration) (map[string]Last, error) {
	list := map[string]Last{}
	if s.Journal == nil {
		return list, nil
	}
	until := time.Now().Add(within)
	for i := range s.All {
		st := &s.All[i]
		if time.Now().After(until) {
			break
		}
		if st.Last.IsZero() {
			continue
		}
		e, err := s.eventOf(ctx, st, st.Last)
		if err != nil {
			return list, err
		}
		if e == nil {
			continue
		}
		states, err := s.runsOf(ctx, e.Sequence)
		if err != nil {
			return list, err
		}
		list[st.Name] = Last{e.Sequence, states}
	}
	return list, nil
}

// leftOut are slots of a schedule that were left out, one after the other.
type leftOut struct {
	Schedule string
	Reason   string
	Count    int64
	First    time.Time
	Last     time.Time
	Slots    []time.Time // as many as the event lists
}

// missing are the slots that were left out, as the journal has them.
type missing struct {
	list     []leftOut
	complete bool // no event was left out for want of time
}

// missed searches the journal for slots of schedules that were left out at a time or later, newest first.
func (s *Schedules) missed(ctx context.Context, since time.Time, of []*schedule.State) (missing, error) {
	var names []string
	for _, st := range of {
		names = append(names, st.Name, st.Was)
	}
	found := missing{complete: true}
	pattern, err := events.ParsePattern(events.TypeScheduleMissed)
	if err != nil || s.Journal == nil {
		return found, err
	}
	q := store.EventQuery{Patterns: []events.Pattern{pattern}, Since: since, Last: true}
	for until := time.Now().Add(budget); ; {
		part, err := s.Journal.ScanEvents(ctx, q, lookStep)
		if err != nil {
			return found, err
		}
		for _, e := range part.Items {
			var left leftOut
			if json.Unmarshal(e.Data, &left) == nil && slices.Contains(names, left.Schedule) && left.Schedule != "" {
				found.list = append(found.list, left)
			}
		}
		if part.End {
			return found, nil
		}
		if q.Before = part.Reached; time.Now().After(until) {
			found.complete = false
			return found, nil
		}
	}
}

// reason says why a slot was left out; empty: it is not among those.
func (m *missing) reason(st *schedule.State, slot time.Time) string {
	for i := range m.list {
		left := &m.list[i]
		if (left.Schedule == st.Name || left.Schedule == st.Was) && !slot.Before(left.First) && !slot.After(left.Last) {
			return left.Reason
		}
	}
	return ""
}
