package schedule

import (
	"cmp"
	"fmt"
	"time"

	"evrun/events"
	"evrun/tasks/schedule/slots"
)

// Missed says what happens to slots that passed without being published: evrun was stopped, the machine was suspended, its clock was
// set forward, or the schedule was paused.
type Missed string

// The policies for missed slots.
const (
	MissedLast Missed = "last" // publish the last of them; the default
	MissedSkip Missed = "skip" // publish none
	MissedAll  Missed = "all"  // publish each, the newest Entry.MaxMissed of them
)

// DefaultMaxMissed is how many missed slots MissedAll publishes, unless the entry says otherwise.
const DefaultMaxMissed = 1000

// DefaultGrace is how late a slot may be published and still count as on time.
const DefaultGrace = time.Minute

// Decision is what happens to the slots between a schedule's mark and now.
type Decision struct {
	Publish []time.Time // oldest first
	Late    int         // how many of them were missed
	Dropped Dropped
	Mark    time.Time // up to here all is decided
}

// Dropped are slots that are not published.
type Dropped struct {
	Count       int64
	First, Last time.Time
}

// Decide returns which of the slots after mark that are due by now to publish: at most limit. The others must wait for the next call,
// with the Mark of this one. A slot is due at its Fire time. One whose time was longer ago than the grace is missed, and the entry's
// policy applies to it. timing is the entry's own, or one counted from somewhere. Decide is a pure function: the daemon and
// `evrun simulate` share it.
func (e *Entry) Decide(timing *slots.Timing, mark, now time.Time, limit int) Decision {
	d := Decision{Mark: mark}
	late := now.Add(-e.GraceTime() - timing.Jitter()) // slots up to here are missed, those after it are on time
	if last, missed := timing.Last(mark, late); missed {
		count := timing.Count(mark, late)
		keep := int64(1)
		switch e.MissedPolicy() {
		case MissedAll:
			keep = min(count, int64(e.MissedMax()))
		case MissedSkip:
			keep = 0
		}
		if dropped := count - keep; dropped > 0 {
			d.Dropped.Count = dropped
			d.Dropped.First, _ = timing.Next(mark)
			d.Dropped.Last, _ = timing.Nth(mark, dropped)
			d.Mark = d.Dropped.Last
		}
		more := false
		if d.Publish, more = timing.Between(d.Mark, last, limit); len(d.Publish) > 0 {
			d.Mark = d.Publish[len(d.Publish)-1]
		}
		if d.Late = len(d.Publish); more {
			return d
		}
	}
	for slot, ok := timing.Next(d.Mark); ok && len(d.Publish) < limit && !timing.Fire(slot).After(now); slot, ok = timing.Next(slot) {
		d.Publish = append(d.Publish, slot)
		d.Mark = slot
	}
	return d
}

// MissedPolicy is Missed or its default.
func (e *Entry) MissedPolicy() Missed { return cmp.Or(e.Missed, MissedLast) }

// GraceTime is Grace or its default.
func (e *Entry) GraceTime() time.Duration { return cmp.Or(e.Grace, DefaultGrace) }

// MissedMax is MaxMissed or its default.
func (e *Entry) MissedMax() int { return cmp.Or(e.MaxMissed, DefaultMaxMissed) }

// OverlapPolicy is Overlap or its default.
func (e *Entry) OverlapPolicy() Overlap { return cmp.Or(e.Overlap, OverlapAllow) }

// maxListed is how many slots the event of missed slots lists. It also has their number.
const maxListed = 1000

// missed makes the event that reports slots that were not published; nil if there are none.
func (s *Scheduler) missed(t *timer, reason string, d Dropped, cause error) *events.Event {
	if d.Count == 0 {
		return nil
	}
	args := []any{"schedule", t.Name, "reason", reason, "slots", d.Count, "first", d.First, "last", d.Last}
	data := map[string]any{"schedule": t.Name, "type": t.Type, "reason": reason, "count": d.Count, "first": SlotID(d.First), "last": SlotID(d.Last)}
	if cause != nil {
		data["error"] = cause.Error()
		args = append(args, "error", cause)
	}
	s.o.Log.Warn("slots are left out", args...)
	listed, _ := t.timing.Between(d.First.Add(-1), d.Last, maxListed)
	slots := make([]string, len(listed))
	for i, slot := range listed {
		slots[i] = SlotID(slot)
	}
	data["slots"] = slots
	id := fmt.Sprintf("missed-%s-%s", t.Name, SlotID(d.Last))
	e, err := s.o.Emitter.Notice(events.TypeScheduleMissed, id, data)
	if err != nil {
		s.o.Log.Error("the event of slots that are left out can't be made", "schedule", t.Name, "error", err)
		return nil
	}
	return e
}
