package warnings

import (
	"fmt"
	"time"

	"evrun/tasks/schedule"
	"evrun/tasks/schedule/slots"
)

// distant is how far off the next slot of a schedule may be: leap days have 8 years between them around 2100.
const distant = 8 * 366 * 24 * time.Hour

// schedulesAlone checks each schedule by itself.
func (f *finder) schedulesAlone() {
	for _, s := range f.Schedules {
		f.ended(s)
		if _, cron := f.Place(s).Lookup("cron"); cron != nil {
			if d := slots.Doubt(cron.Value); d != nil {
				at := cron.Source(d.Offset)
				f.between(at, at+1, d.Message, d.Hint)
			}
		}
	}
}

// ended warns of a schedule that has no slot any more, or none in the next years: its times are over, or far off.
func (f *finder) ended(s *schedule.Entry) {
	next, ok := s.Timing.Next(f.Now)
	if ok && next.Sub(f.Now) < distant {
		return
	}
	n := f.Place(s)
	for _, key := range [...]string{"until", "limit", "at", "from"} {
		name, value := n.Lookup(key)
		if name == nil {
			continue
		}
		switch {
		case ok && (key == "from" || key == "at"):
			f.at(value, fmt.Sprintf("its next slot is on %s", next.Format("2 January 2006")), "check the year")
			return
		case !ok && key == "at":
			f.at(name, "its times have passed: it publishes nothing any more", "write a time to come, or leave the schedule out")
			return
		case !ok && key == "limit":
			f.at(value, "its slots have passed: it publishes nothing any more", "write a later from, or leave the schedule out")
			return
		case !ok:
			f.at(value, "this time has passed: it publishes nothing any more", "write a time to come, or leave the schedule out")
			return
		}
	}
}
