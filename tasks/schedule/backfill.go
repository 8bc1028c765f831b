package schedule

import (
	"time"

	"evrun/events"
	"evrun/tasks/emitter"
	"evrun/tasks/schedule/slots"
)

// Backfill publishes slots of a schedule that have passed, whatever happened at their times. The event of a slot has the id, the time and the data that
// it always has, so a slot that was published is known to the journal and is not published again. It also has the attribute backfill=true. The
// schedule's mark, its missed and its overlap have no part in it, and it may be paused.
type Backfill struct {
	entry  *Entry
	timing *slots.Timing
	span   Span
}

// Backfill returns the slots from a time, inclusive, to another, exclusive. Those that lie after now are left out.
func (st *State) Backfill(during Span, now time.Time) Backfill {
	if during.To.After(now) {
		during.To = now
	}
	return Backfill{entry: st.Entry, timing: st.timing, span: during}
}

// To returns the end of the slots, exclusive.
func (b Backfill) To() time.Time { return b.span.To }

// Count returns the number of slots. It is quick, however many there are.
func (b Backfill) Count() int64 { return b.timing.Count(b.before(), b.span.To.Add(-1)) }

// First returns the first n slots.
func (b Backfill) First(n int) []time.Time {
	list, _ := b.timing.Between(b.before(), b.span.To.Add(-1), n)
	return list
}

func (b Backfill) before() time.Time { return b.span.From.Add(-1) }

// Former names the schedule as [Entry.Part] does, by the name that it had before; empty: none. What was published under it is published.
func (b Backfill) Former() string {
	if b.entry.Was == "" {
		return ""
	}
	return partOf(b.entry.Was)
}

// BackfillPage is a part of a backfill.
type BackfillPage struct {
	Events []*events.Event // for [emitter.Emitter.Accept]
	Slots  int             // that it is for
	Failed int             // slots whose event can't be made
	Err    error           // why the first of these can't
	Last   time.Time       // the last slot; the next page begins after it
	More   bool
}

// Page makes the events of the next slots after a time, n at most. A zero time is the beginning.
func (b Backfill) Page(em *emitter.Emitter, after time.Time, n int) BackfillPage {
	list, more := b.timing.Between(slots.Later(after, b.before()), b.span.To.Add(-1), n)
	page := BackfillPage{Slots: len(list), Last: after, More: more}
	if len(list) == 0 {
		return page
	}
	previous, _ := b.timing.Last(list[0].AddDate(-longestGap, 0, 0), list[0].Add(-1))
	for _, slot := range list {
		e, err := b.entry.Event(b.timing, slot, previous)
		if err == nil {
			e.Extensions = map[string]any{"backfill": true}
			err = em.Own(b.entry.Part(), e)
		}
		if err == nil {
			page.Events = append(page.Events, e)
		} else if page.Failed++; page.Err == nil {
			page.Err = err
		}
		previous = slot
	}
	page.Last = list[len(list)-1]
	return page
}

// longestGap is how many years slots are apart at most, but for those of `at`: from one 29 February to the next, around a century without one.
const longestGap = 8
