package input

import (
	"strings"
	"time"

	"evrun/tasks/fields"
)

// HowTimes says what ParseTime takes.
const HowTimes = "write a time like 2026-03-29T02:30 or 2026-03-29, or how long ago, like 10m, 2h or 1d"

// ParseTime reads a time as people write it: a time (RFC 3339, or without an offset, in zone), a date (its midnight in zone), now, today, yesterday or
// tomorrow, or a duration: 10m, 2h30m, 1d is so long ago, +1d so long from now.
func ParseTime(text string, zone *time.Location, now time.Time) (t time.Time, ok bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, true
		}
	}
	year, month, day := now.In(zone).Date()
	if days, ok := map[string]int{"yesterday": -1, "today": 0, "tomorrow": 1}[text]; ok {
		return time.Date(year, month, day+days, 0, 0, 0, 0, zone), true
	}
	if text == "now" {
		return now, true
	}
	ahead := strings.HasPrefix(text, "+")
	d, wrong := fields.ParseDuration(strings.TrimPrefix(text, "+"))
	switch {
	case wrong != nil:
		return time.Time{}, false
	case ahead:
		return now.Add(d), true
	}
	return now.Add(-d), true
}
