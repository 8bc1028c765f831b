package schedule

import (
	"context"
	"time"

	"evrun/store"
)

// passEvery is how far behind the excepted slots of a schedule its mark is at most.
const passEvery = time.Hour

// passExcepted moves the marks of schedules over excepted slots that have passed, of those that are so far behind. Without it, days that the file
// excepts no longer, since they are over, would be missed slots.
func (s *Scheduler) passExcepted(ctx context.Context, behind time.Duration) {
	if !s.lead.has || s.lead.again {
		return
	}
	now := s.now().UTC()
	var marks []store.ScheduleMark
	for _, t := range s.timers {
		if now.Sub(t.mark.Slot) < behind {
			continue // its slots need no look
		}
		if slot, ok := t.timing.Passed(t.mark.Slot, now); ok && slot.Sub(t.mark.Slot) >= behind {
			mark := t.mark
			mark.Slot = slot
			marks = append(marks, mark)
		}
	}
	if len(marks) == 0 {
		return
	}
	if _, err := s.o.Store.FireSlots(ctx, marks, nil); err != nil {
		if ctx.Err() == nil {
			s.o.Log.Warn("marks of schedules can't be moved over excepted slots", "error", err)
		}
		return
	}
	for _, m := range marks {
		s.timers[m.Name].mark = m
	}
}
