package output

import (
	"fmt"
	"strconv"
	"time"
)

// Times are printed in one zone per output. Not on a terminal, every time is the same text as in JSON: RFC 3339 in UTC. On a terminal:
//
//	a time.Time in a row     15:04:05, Nov 25 15:04, 2025-11-25 15:04
//	an [Ago] in a row        3m ago, in 2h05m, 2026-10-02
//	a time of a record       2026-11-26 15:04:05.123 CET, 3m ago

// Ago is a time that is printed by its distance from now, where people read. Use it for what has just changed, or comes soon; a time.Time for what
// is compared with other times, such as the events of a list.
type Ago time.Time

// Elapsed is when something began that goes on; it is printed as the time since then: 12s so far.
type Elapsed time.Time

// zone is the zone of all times.
func (p *Printer) zone() *time.Location {
	switch {
	case p.Zone != nil:
		return p.Zone
	case p.Terminal:
		return time.Local
	}
	return time.UTC
}

func (p *Printer) now() time.Time {
	if p.Now.IsZero() {
		return time.Now()
	}
	return p.Now
}

// Clock is a time in a row or a line. The zero time is "-".
func (p *Printer) Clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	if t = t.In(p.zone()); !p.Terminal {
		return t.Format(time.RFC3339Nano)
	}
	now := p.now().In(p.zone())
	switch {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format(time.TimeOnly)
	case t.Year() == now.Year():
		return t.Format("Jan _2 15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// Time is a time in full, with its zone and its distance from now. The zero time is "-".
func (p *Printer) Time(t time.Time) string {
	if t.IsZero() || !p.Terminal {
		return p.Clock(t)
	}
	return p.Slot(t) + ", " + distance(t, p.now())
}

// Slot is a slot of a schedule, with its zone.
func (p *Printer) Slot(t time.Time) string {
	if t = t.In(p.zone()); p.Terminal {
		return t.Format("2006-01-02 15:04:05.999 MST")
	}
	return t.Format(time.RFC3339Nano)
}

// Ago is a time as [Ago] is printed. The zero time is "-".
func (p *Printer) Ago(t time.Time) string {
	switch now := p.now(); {
	case t.IsZero() || !p.Terminal:
		return p.Clock(t)
	case t.Sub(now).Abs() >= 30*day:
		return t.In(p.zone()).Format(time.DateOnly)
	default:
		return distance(t, now)
	}
}

const day = 24 * time.Hour

// distance is how far t is from now: "3m ago", in one unit, or "in 3m04s".
func distance(t, now time.Time) string {
	d := t.Sub(now)
	switch {
	case d >= time.Second:
		return "in " + Duration(d.Round(time.Second))
	case d > -time.Second:
		return "now"
	}
	return age(-d) + " ago"
}

// age is a duration in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// Duration is a duration for people, in two units at most: 350ms, 1.2s, 3m04s, 2h, 3d04h.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(max(-d, 0))
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d.Round(time.Millisecond) < time.Second:
		return d.Round(time.Millisecond).String()
	case d.Round(100*time.Millisecond) < time.Minute:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + "s"
	case d.Round(time.Second) < time.Hour:
		return units(d.Round(time.Second), time.Minute, "m", time.Second, "s")
	case d.Round(time.Minute) < 2*day:
		return units(d.Round(time.Minute), time.Hour, "h", time.Minute, "m")
	}
	return units(d.Round(time.Hour), day, "d", time.Hour, "h")
}

func units(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	text := strconv.Itoa(int(d/large)) + largeName
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf("%02d%s", rest, smallName)
	}
	return text
}
