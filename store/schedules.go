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
	// FireSlots accepts slots' events and moves the schedules' marks, in one transaction. Receipts are as in Append: a Duplicate
	// is a slot that fired before its mark was lost, and does not fire again.
	FireSlots(ctx context.Context, marks []ScheduleMark, evs []*events.Event) ([]Receipt, error)
	// SaveMarks stores marks and deletes those of the schedules that are gone, in one transaction: should one of the name come
	// again, it starts over.
	SaveMarks(ctx context.Context, marks []ScheduleMark, gone []string) error
}

// ScheduleMark is the position of a schedule.
type ScheduleMark struct {
	Name   string
	Since  time.Time // when the schedule was first seen: it has no slots before
	Slot   time.Time // every slot up to here was fired or skipped
	Fired  time.Time // the last slot whose event was accepted; zero: none
	Timing string    // tells its slots from those of another timing
	Paused bool      // by hand
}
