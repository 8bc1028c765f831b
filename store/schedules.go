package store

import (
	"context"
	"time"

	"evrun/events"
)

// Schedules keeps the position of each schedule.
type Schedules interface {
	// ScheduleMarks returns the marks of all schedules by name.
	ScheduleMarks(ctx context.Context) (map[string]ScheduleMark, error)
	// FireSlots accepts the events of slots, or those that record another change of the marks, and stores the marks, in one transaction. Receipts are
	// as in Append: a Duplicate is a slot that had already fired before its mark was lost, and does not fire again.
	FireSlots(ctx context.Context, marks []ScheduleMark, evs []*events.Event) ([]Receipt, error)
	// SaveMarks stores marks and deletes those of the schedules in gone, in one transaction. A later schedule of such a name starts over.
	SaveMarks(ctx context.Context, marks []ScheduleMark, gone []string) error
}

// ScheduleMark is the position of a schedule.
type ScheduleMark struct {
	Name   string
	Since  time.Time // when the schedule was first seen: it has no slots before
	Slot   time.Time // every slot up to here was fired or skipped
	Fired  time.Time // the last slot whose event was accepted; zero: none
	Timing string    // identifies the timing that the slots belong to
	Paused bool      // by a person
}
