package heatmap

import (
	"fmt"
	"time"
)

// When says in words when a time is, as its own zone's clock shows it: today 14:30, tomorrow 02:00, Friday 09:00, 24 December 18:00.
func When(t, now time.Time) string {
	now = now.In(t.Location())
	clock := t.Format("15:04")
	if t.Second() != 0 || t.Nanosecond() != 0 {
		clock = t.Format("15:04:05")
	}
	switch days := date(t) - date(now); {
	case days == 0:
		return "today " + clock
	case days == 1:
		return "tomorrow " + clock
	case days == -1:
		return "yesterday " + clock
	case days > 1 && days < 7:
		return t.Format("Monday ") + clock
	case t.Year() == now.Year() || days > 0 && days < 180:
		return t.Format("2 January ") + clock
	}
	return t.Format("2 January 2006 ") + clock
}

// Day names the day of a time: Today, Friday 27 November.
func Day(t, now time.Time) string {
	name := t.Format("Monday 2 January")
	if t.Year() != now.In(t.Location()).Year() {
		name += fmt.Sprintf(" %d", t.Year())
	}
	switch date(t) - date(now.In(t.Location())) {
	case 0:
		return "Today, " + name
	case 1:
		return "Tomorrow, " + name
	case -1:
		return "Yesterday, " + name
	}
	return name
}

// date counts days, as a clock shows them.
func date(t time.Time) int64 {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
}
