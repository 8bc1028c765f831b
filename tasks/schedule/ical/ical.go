// Package ical reads the times of the events of an iCalendar file (RFC 5545), so that schedules can have no slots at these times.
//
// It knows VEVENT with DTSTART, DTEND, DURATION, RRULE, RDATE, EXDATE, RECURRENCE-ID and STATUS:CANCELLED. A date without a time is a whole day, in the zone
// of who asks; so is a time without a zone. Whatever it can't follow (a rule within a day, an unknown zone) is an error with its line, and never left out.
//
// The text may be a stranger's: its size and the work of its rules are bounded, by counts and not by a clock.
//
//	cal, err := ical.Parse(text)
//	spans, err := cal.Spans(paris, until)
//
// github.com/teambition/rrule-go (v1.8.2, of January 2023) follows rules, too, but bounds no work: it looks for a day that never comes until the year
// 9999, which took 85 ms for each rule, and a file of this size may have ten thousand.
package ical

import (
	"fmt"
	"strings"
	"time"

	"evrun/tasks/schedule/slots"
)

// MaxSize is how large a file may be, in bytes.
const MaxSize = 1 << 20

const (
	maxWork  = 5_000_000 // days that all rules look at, and what costs as much
	maxTimes = 100_000   // of all events
)

// Error is a mistake in a file, or something in it that can't be followed.
type Error struct {
	Line int // from 1
	Msg  string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

func wrong(line int, format string, args ...any) error {
	return &Error{line, fmt.Sprintf(format, args...)}
}

// Calendar has the events of a file.
type Calendar struct {
	events []*event
	moved  map[string][]moment // by uid: times of occurrences that other events replace
}

// event is a VEVENT.
type event struct {
	line       int
	uid        string
	start, end moment // end: none is the zero one
	duration   time.Duration
	rule       *rule
	also       []period // RDATE
	without    []moment // EXDATE
	instead    moment   // RECURRENCE-ID
	cancelled  bool
}

// moment is a date, or a time in a zone.
type moment struct {
	wall time.Time      // as UTC; zero: none
	date bool           // a whole day
	zone *time.Location // nil: that of who asks
}

func (m moment) at(zone *time.Location) time.Time {
	switch {
	case m.zone == time.UTC:
		return m.wall
	case m.zone != nil:
		zone = m.zone
	}
	return slots.Showing(zone, m.wall)
}

// period is an occurrence of RDATE; without an end it is as long as the event.
type period struct{ start, end moment }

// property is a line of the file.
type property struct {
	line   int
	name   string
	params map[string]string
	value  string
}

// Parse reads a file.
func Parse(text string) (*Calendar, error) {
	if len(text) > MaxSize {
		return nil, wrong(1, "the file is over 1 MiB")
	}
	r := reader{cal: &Calendar{moved: map[string][]moment{}}}
	for _, l := range unfold(text) {
		p, err := parseLine(l)
		if err == nil {
			err = r.take(p)
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case !r.known:
		return nil, wrong(1, "the file has no calendar")
	case len(r.open) > 0:
		return nil, wrong(strings.Count(text, "\n")+1, "the file ends within %s", clip(r.open[len(r.open)-1]))
	}
	return r.cal, nil
}

// reader reads a file line by line.
type reader struct {
	cal   *Calendar
	known bool     // a calendar has begun
	open  []string // the components that have begun
	event *event   // the one that has begun
}

func (r *reader) take(p property) error {
	switch {
	case p.name == "BEGIN":
		r.open = append(r.open, strings.ToUpper(p.value))
		r.known = r.known || r.open[0] == "VCALENDAR"
		if len(r.open) == 2 && r.open[1] == "VEVENT" {
			r.event = &event{line: p.line}
		}
	case p.name == "END":
		return r.end(p)
	case r.event != nil && len(r.open) == 2: // not of an alarm in it
		return r.event.set(p)
	}
	if !r.known || len(r.open) == 0 {
		return wrong(p.line, "an iCalendar file begins with BEGIN:VCALENDAR")
	}
	return nil
}

func (r *reader) end(p property) error {
	last := len(r.open) - 1
	if last < 0 || r.open[last] != strings.ToUpper(p.value) {
		return wrong(p.line, "END:%s ends nothing", clip(p.value))
	}
	r.open = r.open[:last]
	if last != 1 || r.event == nil {
		return nil
	}
	e := r.event
	r.event = nil
	return r.cal.add(e)
}

func (cal *Calendar) add(e *event) error {
	switch {
	case e.start.wall.IsZero():
		return wrong(e.line, "the event has no DTSTART")
	case !e.end.wall.IsZero() && (e.end.date != e.start.date || e.end.wall.Before(e.start.wall) && e.end.zone == e.start.zone):
		return wrong(e.line, "the event's DTEND doesn't fit its DTSTART")
	}
	if !e.instead.wall.IsZero() {
		if e.uid == "" {
			return wrong(e.line, "the event has a RECURRENCE-ID and no UID: nobody knows which event it changes")
		}
		cal.moved[e.uid] = append(cal.moved[e.uid], e.instead)
	}
	if !e.cancelled {
		cal.events = append(cal.events, e)
	}
	return nil
}

// Spans returns the times of all events that begin before a time, as the clock of a zone shows them. The spans are in no order, and may overlap.
func (cal *Calendar) Spans(zone *time.Location, until time.Time) ([]slots.Span, error) {
	x := expansion{zone: zone, until: until}
	for _, e := range cal.events {
		if err := x.add(e, cal.moved[e.uid]); err != nil {
			return nil, err
		}
	}
	return x.spans, nil
}

// expansion collects spans.
type expansion struct {
	zone  *time.Location
	until time.Time
	work  int
	spans []slots.Span
}

// spend takes work. line is that of the event or the rule that makes it.
func (x *expansion) spend(n, line int) error {
	if x.work += n; x.work > maxWork {
		return wrong(line, "the rules and the changes of the file are too much work")
	}
	return nil
}

func (x *expansion) add(e *event, moved []moment) error {
	off := map[time.Time]bool{}
	offDays := map[time.Time]bool{}
	leave := e.without
	if e.instead.wall.IsZero() {
		leave = append(leave[:len(leave):len(leave)], moved...)
	}
	if err := x.spend(4*len(leave), e.line); err != nil { // many events may share one uid
		return err
	}
	for _, m := range leave {
		if m.date {
			offDays[m.wall] = true
		} else {
			off[m.at(x.zone)] = true
		}
	}
	length := e.duration
	if !e.end.wall.IsZero() {
		length = e.end.wall.Sub(e.start.wall) // of days
		if !e.start.date {
			length = e.end.at(x.zone).Sub(e.start.at(x.zone))
		}
	} else if length == 0 && e.start.date {
		length = 24 * time.Hour
	}
	put := func(start, end moment) error {
		at := start.at(x.zone)
		if off[at] || offDays[start.wall.Truncate(24*time.Hour)] || !at.Before(x.until) {
			return nil
		}
		if len(x.spans) >= maxTimes {
			return wrong(e.line, "the events of the file happen more than %d times in ten years", maxTimes)
		}
		span := slots.Span{From: at, To: at.Add(max(length, 1))} // an event without a length is at one instant
		switch {
		case !end.wall.IsZero():
			span.To = end.at(x.zone)
		case start.date:
			span.To = moment{wall: start.wall.Add(length)}.at(x.zone)
		}
		x.spans = append(x.spans, span)
		return nil
	}
	if err := put(e.start, moment{}); err != nil {
		return err
	}
	for _, p := range e.also {
		if err := put(p.start, p.end); err != nil {
			return err
		}
	}
	if e.rule == nil {
		return nil
	}
	return e.rule.each(x, e, func(wall time.Time) error {
		if wall.Equal(e.start.wall) {
			return nil // it was put first
		}
		return put(moment{wall, e.start.date, e.start.zone}, moment{})
	})
}
