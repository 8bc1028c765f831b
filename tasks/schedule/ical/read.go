package ical

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"evrun/tasks/fault"
	"evrun/tasks/schedule/slots"
)

// numbered is a line of the file, with those that continue it.
type numbered struct {
	line int
	text string
}

// unfold returns the lines: one that begins with white space continues the one before.
func unfold(text string) (lines []numbered) {
	var parts []string
	from := 0
	end := func() {
		if len(parts) > 0 {
			lines = append(lines, numbered{from, strings.Join(parts, "")})
		}
		parts = nil
	}
	n := 0
	for l := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
		n++
		l = strings.TrimSuffix(l, "\r")
		switch {
		case l == "":
		case (l[0] == ' ' || l[0] == '\t') && len(parts) > 0:
			parts = append(parts, l[1:])
		default:
			end()
			from, parts = n, append(parts, l)
		}
	}
	end()
	return lines
}

// parseLine reads NAME;PARAM=VALUE;PARAM="VALUE":VALUE.
func parseLine(l numbered) (property, error) {
	p := property{line: l.line, params: map[string]string{}}
	var parts []string
	quoted, from := false, 0
	for i := range len(l.text) {
		switch c := l.text[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ';' || c == ':'):
			parts = append(parts, l.text[from:i])
			from = i + 1
			if c == ':' {
				p.name, p.value = strings.ToUpper(parts[0]), l.text[from:]
				for _, param := range parts[1:] {
					name, value, _ := strings.Cut(param, "=")
					p.params[strings.ToUpper(name)] = strings.Trim(value, `"`)
				}
				return p, nil
			}
		}
	}
	return p, wrong(l.line, "%s is not a line of an iCalendar file", fault.Quote(clip(l.text)))
}

func clip(text string) string { return fault.Clip(text, 40) }

// set takes a property of an event.
func (e *event) set(p property) (err error) {
	switch p.name {
	case "UID":
		e.uid = p.value
	case "DTSTART":
		e.start, err = p.moment(p.value)
	case "DTEND":
		e.end, err = p.moment(p.value)
	case "DURATION":
		e.duration, err = p.duration(p.value)
	case "RRULE":
		if e.rule != nil {
			return wrong(p.line, "the event has two RRULEs")
		}
		e.rule, err = parseRule(p)
	case "EXRULE":
		return wrong(p.line, "EXRULE can't be followed: write the days as EXDATE")
	case "RDATE":
		for v := range strings.SplitSeq(p.value, ",") {
			one, err := p.period(v)
			if err != nil {
				return err
			}
			e.also = append(e.also, one)
		}
	case "EXDATE":
		for v := range strings.SplitSeq(p.value, ",") {
			m, err := p.moment(v)
			if err != nil {
				return err
			}
			e.without = append(e.without, m)
		}
	case "RECURRENCE-ID":
		if p.params["RANGE"] != "" {
			return wrong(p.line, "a change of this and all later events can't be followed")
		}
		e.instead, err = p.moment(p.value)
	case "STATUS":
		e.cancelled = strings.EqualFold(p.value, "CANCELLED")
	}
	return err
}

// moment reads 20261225, 20261225T090000 or 20261225T090000Z.
func (p property) moment(text string) (m moment, err error) {
	switch len(text) {
	case 8:
		m.date = true
		m.wall, err = time.Parse("20060102", text)
	case 15:
		m.wall, err = time.Parse("20060102T150405", text)
	case 16:
		m.zone = time.UTC
		m.wall, err = time.Parse("20060102T150405Z", text)
	default:
		return m, wrong(p.line, "%s is not a valid date or time", fault.Quote(clip(text)))
	}
	if err != nil {
		return m, wrong(p.line, "%s is not a valid date or time", fault.Quote(clip(text)))
	}
	if name := p.params["TZID"]; name != "" && len(text) == 15 {
		if m.zone, err = slots.LoadZone(strings.TrimPrefix(name, "/")); err != nil {
			return m, wrong(p.line, "unknown time zone %s: only IANA names such as Europe/Paris are known", fault.Quote(clip(name)))
		}
	}
	return m, nil
}

// period reads a moment, START/END or START/DURATION.
func (p property) period(text string) (one period, err error) {
	start, end, bounded := strings.Cut(text, "/")
	if one.start, err = p.moment(start); err != nil || !bounded {
		return one, err
	}
	if !strings.HasPrefix(end, "P") && !strings.HasPrefix(end, "+P") {
		one.end, err = p.moment(end)
		return one, err
	}
	d, err := p.duration(end)
	one.end = one.start
	one.end.wall = one.start.wall.Add(d)
	return one, err
}

var durations = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\+?P(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?)$`)
})

// duration reads P1DT2H, P2W.
func (p property) duration(text string) (d time.Duration, err error) {
	m := durations().FindStringSubmatch(text)
	if m == nil {
		return 0, wrong(p.line, "%s is not a valid duration", fault.Quote(clip(text)))
	}
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi(m[i+1]) // digits, or nothing
		d += time.Duration(n) * unit
	}
	return d, nil
}
