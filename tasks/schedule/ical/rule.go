package ical

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"evrun/tasks/fault"
)

// rule is an RRULE whose occurrences are days.
type rule struct {
	line     int
	freq     string // DAILY, WEEKLY, MONTHLY, YEARLY
	interval int
	count    int    // 0: no bound
	until    moment // zero: no bound

	months, monthDays, yearDays, weeks, positions []int
	weekdays                                      []nthWeekday
	weekStart                                     time.Weekday
}

// nthWeekday is a day of the week: each, the n-th, or the n-th from the end.
type nthWeekday struct {
	n   int
	day time.Weekday
}

var weekdayNames = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

func parseRule(p property) (*rule, error) {
	r := &rule{line: p.line, interval: 1, weekStart: time.Monday}
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSuffix(p.value, ";")), ";") {
		name, value, _ := strings.Cut(part, "=")
		if err := r.set(p, name, value); err != nil {
			return nil, err
		}
	}
	switch {
	case r.freq == "":
		return nil, wrong(p.line, "RRULE has no FREQ")
	case r.count > 0 && !r.until.wall.IsZero():
		return nil, wrong(p.line, "RRULE has both COUNT and UNTIL")
	case len(r.weeks) > 0 && (r.freq != "YEARLY" || r.weekStart != time.Monday):
		return nil, wrong(p.line, "BYWEEKNO can be followed with FREQ=YEARLY and WKST=MO only")
	}
	return r, nil
}

func (r *rule) set(p property, name, value string) (err error) {
	switch name {
	case "FREQ":
		switch value {
		case "DAILY", "WEEKLY", "MONTHLY", "YEARLY":
			r.freq = value
		case "HOURLY", "MINUTELY", "SECONDLY":
			return wrong(p.line, "an event that recurs within a day (FREQ=%s) can't be followed", value)
		default:
			return wrong(p.line, "unknown FREQ %s", fault.Quote(clip(value)))
		}
	case "INTERVAL", "COUNT":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 1_000_000 {
			return wrong(p.line, "%s of RRULE must be a number from 1 to 1000000", name)
		}
		if name == "COUNT" {
			r.count = n
		} else {
			r.interval = n
		}
	case "UNTIL":
		r.until, err = p.moment(value)
	case "WKST":
		i := slices.Index(weekdayNames, value)
		if i < 0 {
			return wrong(p.line, "unknown day %s", fault.Quote(clip(value)))
		}
		r.weekStart = time.Weekday(i)
	case "BYDAY":
		return r.setDays(p, value)
	case "BYMONTH":
		r.months, err = numbers(p, name, value, 1, 12)
	case "BYMONTHDAY":
		r.monthDays, err = numbers(p, name, value, -31, 31)
	case "BYYEARDAY":
		r.yearDays, err = numbers(p, name, value, -366, 366)
	case "BYWEEKNO":
		r.weeks, err = numbers(p, name, value, -53, 53)
	case "BYSETPOS":
		r.positions, err = numbers(p, name, value, -366, 366)
	default:
		return wrong(p.line, "%s of RRULE can't be followed", fault.Quote(clip(name)))
	}
	return err
}

func (r *rule) setDays(p property, value string) error {
	for text := range strings.SplitSeq(value, ",") {
		cut := max(0, len(text)-2)
		i := slices.Index(weekdayNames, text[cut:])
		n := 0
		if cut > 0 {
			n, _ = strconv.Atoi(text[:cut])
		}
		if i < 0 || cut > 0 && (n == 0 || n < -53 || n > 53) || len(r.weekdays) >= 400 {
			return wrong(p.line, "BYDAY of RRULE has the unknown day %s", fault.Quote(clip(text)))
		}
		r.weekdays = append(r.weekdays, nthWeekday{n, time.Weekday(i)})
	}
	return nil
}

func numbers(p property, name, value string, low, high int) (list []int, err error) {
	for text := range strings.SplitSeq(value, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < low || n > high || n == 0 || len(list) >= 400 {
			return nil, wrong(p.line, "%s of RRULE has the wrong number %s", name, fault.Quote(clip(text)))
		}
		list = append(list, n)
	}
	return list, nil
}

const day = 24 * time.Hour

// each calls found with the wall-clock times of an event's occurrences, in their order, as long as they begin before x.until.
func (r *rule) each(x *expansion, e *event, found func(wall time.Time) error) error {
	start := e.start.wall.Truncate(day)
	clock := e.start.wall.Sub(start)
	one := r.completed(start)
	end := x.until.Add(2 * day) // a zone is a day away at most
	n, each := 0, 1+one.terms()/64
	for first := one.period(start); first.Before(end); first = one.after(first) {
		if err := x.spend(each*int(one.next(first).Sub(first)/day), r.line); err != nil {
			return err
		}
		set := one.days(first)
		for _, d := range one.chosen(set) {
			if d.Before(start) {
				continue
			}
			wall := d.Add(clock)
			if n++; one.count > 0 && n > one.count || one.over(x, e, wall) {
				return nil
			}
			if err := found(wall); err != nil {
				return err
			}
		}
	}
	return nil
}

// terms is how many numbers each day is compared with.
func (r *rule) terms() int {
	return len(r.months) + len(r.monthDays) + len(r.yearDays) + len(r.weeks) + len(r.weekdays) + len(r.positions)
}

// completed adds what follows from the start: a rule without days has the start's.
func (r *rule) completed(start time.Time) *rule {
	one := *r
	if len(r.weeks)+len(r.yearDays)+len(r.monthDays)+len(r.weekdays) > 0 {
		return &one
	}
	switch r.freq {
	case "YEARLY":
		if len(r.months) == 0 {
			one.months = []int{int(start.Month())}
		}
		one.monthDays = []int{start.Day()}
	case "MONTHLY":
		one.monthDays = []int{start.Day()}
	case "WEEKLY":
		one.weekdays = []nthWeekday{{0, start.Weekday()}}
	}
	return &one
}

// over reports whether an occurrence is after UNTIL.
func (r *rule) over(x *expansion, e *event, wall time.Time) bool {
	switch {
	case r.until.wall.IsZero():
		return false
	case r.until.date:
		return wall.Truncate(day).After(r.until.wall)
	case r.until.zone == time.UTC && !e.start.date:
		return moment{wall: wall, zone: e.start.zone}.at(x.zone).After(r.until.wall)
	}
	return wall.After(r.until.wall)
}

// period returns the first day of the period that a day is in: the day, its week, month or year.
func (r *rule) period(d time.Time) time.Time {
	switch r.freq {
	case "WEEKLY":
		return d.AddDate(0, 0, -int(d.Weekday()-r.weekStart+7)%7)
	case "MONTHLY":
		return d.AddDate(0, 0, 1-d.Day())
	case "YEARLY":
		return d.AddDate(0, 0, 1-d.YearDay())
	}
	return d
}

// next returns the first day of the period after one, and after that of the next one that counts.
func (r *rule) next(first time.Time) time.Time  { return r.ahead(first, 1) }
func (r *rule) after(first time.Time) time.Time { return r.ahead(first, r.interval) }

func (r *rule) ahead(first time.Time, n int) time.Time {
	switch r.freq {
	case "WEEKLY":
		return first.AddDate(0, 0, 7*n)
	case "MONTHLY":
		return first.AddDate(0, n, 0)
	case "YEARLY":
		return first.AddDate(n, 0, 0)
	}
	return first.AddDate(0, 0, n)
}

// days returns the days of the period that begins with first, as far as the rule has them.
func (r *rule) days(first time.Time) (set []time.Time) {
	for d, end := first, r.next(first); d.Before(end); d = d.Add(day) {
		if r.has(d) {
			set = append(set, d)
		}
	}
	return set
}

// chosen applies BYSETPOS.
func (r *rule) chosen(set []time.Time) []time.Time {
	if len(r.positions) == 0 {
		return set
	}
	var some []time.Time
	for i, d := range set {
		if slices.Contains(r.positions, i+1) || slices.Contains(r.positions, i-len(set)) {
			some = append(some, d)
		}
	}
	return some
}

func (r *rule) has(d time.Time) bool {
	if len(r.months) > 0 && !slices.Contains(r.months, int(d.Month())) {
		return false
	}
	monthEnd := time.Date(d.Year(), d.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if len(r.monthDays) > 0 && !slices.Contains(r.monthDays, d.Day()) && !slices.Contains(r.monthDays, d.Day()-monthEnd-1) {
		return false
	}
	yearEnd := time.Date(d.Year(), 12, 31, 0, 0, 0, 0, time.UTC)
	if len(r.yearDays) > 0 && !slices.Contains(r.yearDays, d.YearDay()) && !slices.Contains(r.yearDays, d.YearDay()-yearEnd.YearDay()-1) {
		return false
	}
	if len(r.weeks) > 0 {
		_, week := d.ISOWeek()
		_, last := time.Date(d.Year(), 12, 28, 0, 0, 0, 0, time.UTC).ISOWeek()
		if !slices.Contains(r.weeks, week) && !slices.Contains(r.weeks, week-last-1) {
			return false
		}
	}
	if len(r.weekdays) == 0 {
		return true
	}
	at, length := d.Day(), monthEnd
	if r.freq == "YEARLY" && len(r.months) == 0 {
		at, length = d.YearDay(), yearEnd.YearDay()
	}
	return slices.ContainsFunc(r.weekdays, func(w nthWeekday) bool {
		switch {
		case w.day != d.Weekday():
			return false
		case w.n == 0 || r.freq == "DAILY" || r.freq == "WEEKLY":
			return true
		case w.n > 0:
			return (at-1)/7+1 == w.n
		}
		return (length-at)/7+1 == -w.n
	})
}
