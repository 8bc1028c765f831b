package config

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"evrun/cmd/config/yaml"
	"evrun/tasks/fault"
	"evrun/tasks/schedule/ical"
	"evrun/tasks/schedule/slots"
)

// calendarYears is how far the events of a calendar are followed: a rule may have no end.
const calendarYears = 10

// except returns the times without slots of the schedule at n: days in a zone, and the events of calendars. version is what its calendars say.
func (r *wiringReader) except(n *yaml.Node, items []string, zone *time.Location) (spans []slots.Span, version string) {
	for i, item := range items {
		at, _, _ := n.Follow([]any{"except", i})
		if strings.HasSuffix(strings.ToLower(item), ".ics") {
			more, sum := r.calendar(at, item, zone)
			spans, version = append(spans, more...), version+sum
			continue
		}
		span, f := daysOf(item, zone)
		switch {
		case item == "": // it is not a text, or an empty one
			if at.Kind == yaml.Scalar && at.Value == "" {
				r.at(at, "an item of \"except\" is empty", "leave it out")
			}
		case f != nil:
			r.report(n, f.Within("except", i))
		default:
			spans = append(spans, span)
		}
	}
	return spans, version
}

// daysOf reads 2026-12-25 or 2026-12-24..2026-12-31.
func daysOf(text string, zone *time.Location) (slots.Span, *fault.Fault) {
	const form = "write a day such as 2026-12-25, a range such as 2026-12-24..2026-12-31, or the name of an .ics file"
	firstText, lastText, ranged := strings.Cut(text, "..")
	if !ranged {
		lastText = firstText
	}
	var days [2]time.Time
	for i, part := range []string{firstText, lastText} {
		part = strings.TrimSpace(part)
		var err error
		if days[i], err = time.Parse(time.DateOnly, part); err != nil {
			return slots.Span{}, fault.New("%s is not a valid day", fault.Quote(part)).Hinting("%s", cmp.Or(dayMeant(part), form))
		}
	}
	if days[1].Before(days[0]) {
		return slots.Span{}, fault.New("the range ends before it begins").Hinting("the earlier day comes first: %s..%s", strings.TrimSpace(lastText), strings.TrimSpace(firstText))
	}
	return slots.Days(zone, days[0], days[1]), nil
}

// dayMeant says how a day is written that is in another form; empty: it isn't known.
func dayMeant(text string) string {
	for _, layout := range []string{"20060102", "2006/1/2", "2.1.2006", "2006-1-2", time.RFC3339} {
		if day, err := time.Parse(layout, text); err == nil {
			return "write " + day.Format(time.DateOnly)
		}
	}
	if !strings.ContainsAny(text, "0123456789/.") {
		return "days of the week belong in weekly or cron, such as weekly: MON-FRI 09:00"
	}
	return ""
}

// calendar returns the times of the events of an iCalendar file, and a hash of it.
func (r *wiringReader) calendar(n *yaml.Node, name string, zone *time.Location) (spans []slots.Span, version string) {
	if strings.Contains(name, "://") {
		r.at(n, `"except": only files can be read`, "fetch it first, and name the file")
		return nil, ""
	}
	text, ok := r.fileBeside(n, "the calendar", name)
	if !ok {
		return nil, ""
	}
	key := calendarKey{sha256.Sum256(text), zone.String()}
	version = fmt.Sprintf(" %x", key.sum)
	if known, ok := r.calendars[key]; ok {
		return known, version
	}
	cal, err := ical.Parse(string(text))
	if err == nil {
		spans, err = cal.Spans(zone, time.Now().AddDate(calendarYears, 0, 0))
	}
	if err != nil {
		r.at(n, fmt.Sprintf("the calendar %s, %v", fault.Quote(name), err), "leave this event out of the file, or write its days here, such as 2026-12-24..2026-12-31")
		return nil, ""
	}
	if r.calendars == nil {
		r.calendars = map[calendarKey][]slots.Span{}
	}
	r.calendars[key] = spans
	return spans, version
}

// calendarKey is a calendar in a zone. Many schedules may name the same one.
type calendarKey struct {
	sum  [sha256.Size]byte
	zone string
}
