package slots

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"evrun/tasks/fault"
)

// parseCalendar compiles daily, weekly and monthly into one entry for each time of day.
func parseCalendar(spec *Spec) (wall, *fault.Fault) {
	var w wall
	total := 0
	for _, list := range []struct {
		field   string
		entries []string
		days    func(word) (days, *fault.Fault) // nil: every day
	}{
		{"daily", spec.Daily, nil},
		{"weekly", spec.Weekly, parseWeekly},
		{"monthly", spec.Monthly, parseMonthly},
	} {
		for i, text := range list.entries {
			if total++; total > maxEntries {
				return nil, fault.At([]any{list.field, i}, "more than %d entries", maxEntries)
			}
			d, at, err := parseEntry(text, list.days)
			if err != nil {
				return nil, err.Within(list.field, i)
			}
			w = w.add(d, at)
		}
	}
	return w, nil
}

// add puts days at a time of day.
func (w wall) add(d days, at times) wall {
	for i := range w {
		if w[i].times != at {
			continue
		}
		if !slices.Contains(w[i].days, d) {
			w[i].days = append(w[i].days, d)
		}
		return w
	}
	return append(w, entry{days: []days{d}, times: at})
}

// parseEntry reads "09:00", or "MON-FRI 09:00" where there is a parser for days.
func parseEntry(text string, parse func(word) (days, *fault.Fault)) (days, times, *fault.Fault) {
	everyDay := days{months: allMonths, dom: allDoms, dow: allDows}
	if len(text) > maxEntry {
		return everyDay, times{}, &fault.Fault{Offset: maxEntry, Message: fmt.Sprintf("%d bytes are more than %d", len(text), maxEntry)}
	}
	words := split(text)
	if parse == nil {
		if len(words) != 1 {
			return everyDay, times{}, fault.New("%q is not a valid time of day", text).Hinting("one time an entry, such as 09:00")
		}
		at, err := parseTime(words[0])
		return everyDay, at, err
	}
	if len(words) != 2 {
		return everyDay, times{}, &fault.Fault{
			Message: fmt.Sprintf("%q is not days and a time", text), Hint: `such as "MON-FRI 09:00" weekly, "1,15 09:00" or "last 18:00" monthly`,
		}
	}
	d, err := parse(words[0])
	if err != nil {
		return d, times{}, err
	}
	at, err := parseTime(words[1])
	return d, at, err
}

// parseWeekly reads days of the week as a cron has them, less # and L.
func parseWeekly(w word) (days, *fault.Fault) {
	d := days{months: allMonths, dom: allDoms}
	if i := strings.IndexByte(w.text, '#'); i >= 0 {
		return d, &fault.Fault{Offset: w.offset + i, Message: "# is for a cron", Hint: `such as cron: "0 9 * * FRI#2"`}
	}
	set, err := dowField.parse(w, &d)
	d.dow = uint8(set)
	return d, err
}

// parseMonthly reads days of the month: numbers and ranges, where a day that a month lacks is its last, and "last".
func parseMonthly(w word) (days, *fault.Fault) {
	d := days{months: allMonths, dow: allDows}
	offset := w.offset
	for item := range strings.SplitSeq(w.text, ",") {
		switch {
		case strings.EqualFold(item, "last") || strings.EqualFold(item, "L"):
			d.fromLast |= 1
		default:
			set, msg, hint := plainDom.item(item, &d)
			if msg != "" {
				return d, &fault.Fault{Offset: offset, Message: fmt.Sprintf("day of month %q: %s", item, msg), Hint: cmp.Or(hint, "1 to 31, or last")}
			}
			d.orLast |= uint32(set)
		}
		offset += len(item) + 1
	}
	if d.orLast>>31 != 0 {
		d.fromLast &^= 1 // the 31st is the last day already
	}
	return d, nil
}

var plainDom = cronField{name: "day of month", min: 1, max: 31}

// parseTime reads a time of day: HH:MM or HH:MM:SS.
func parseTime(w word) (times, *fault.Fault) {
	fail := func(hint string) (times, *fault.Fault) {
		return times{}, &fault.Fault{Offset: w.offset, Message: fmt.Sprintf("%q is not a valid time of day", w.text), Hint: hint}
	}
	parts := strings.Split(w.text, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return fail("HH:MM or HH:MM:SS, such as 09:00")
	}
	var n [3]int
	for i, part := range parts {
		if len(part) == 0 || len(part) > 2 || len(part) < 2 && i > 0 {
			return fail("HH:MM or HH:MM:SS, such as 09:00")
		}
		for _, c := range []byte(part) {
			if c < '0' || c > '9' {
				return fail("HH:MM or HH:MM:SS in 24 hours, such as 09:00 or 21:30")
			}
			n[i] = n[i]*10 + int(c-'0')
		}
	}
	switch {
	case n[0] == 24 && n[1] == 0 && n[2] == 0:
		return fail("00:00 is the day's first minute")
	case n[0] > 23 || n[1] > 59 || n[2] > 59:
		return fail("00:00 to 23:59:59")
	}
	return times{hour: 1 << n[0], minute: 1 << n[1], second: 1 << n[2]}, nil
}
