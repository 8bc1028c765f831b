package slots

import (
	"fmt"
	"math/bits"
	"strings"

	"evrun/tasks/fault"
)

// Doubt returns what is valid in a cron, and probably not meant, with an offset in its text; nil for nothing.
func Doubt(cron string) *fault.Fault {
	words := split(cron)
	if len(words) != 5 && len(words) != 6 {
		return nil // a name
	}
	if e, err := parseCron(cron); err == nil {
		return doubt(&e, words, words[len(words)-5:])
	}
	return nil
}

// doubt is Doubt for a valid cron; fields are its words without the second.
func doubt(e *entry, words, fields []word) *fault.Fault {
	switch {
	case e.days[0].either && !everyDay(e.days[0]):
		return eitherDay(words, fields)
	case len(words) == 6 && words[0].text == "*" && (e.times.minute != 1<<60-1 || e.times.hour != allHours):
		words[0].text = "0"
		return &fault.Fault{Offset: words[0].offset, Message: "six fields begin with the second: this one has a slot in each second of its minutes",
			Hint: fmt.Sprintf("write %s, or 0-59 in place of the first *", joined(words))}
	case fields[0].text == "*" && len(words) == 5 && bits.OnesCount32(e.times.hour) == 1:
		minute := fields[0].offset
		fields[0].text = "0"
		return &fault.Fault{Offset: minute, Message: "this one has a slot in each minute of its hour, so 60 of them",
			Hint: fmt.Sprintf("write %s, or 0-59 in place of the first *", joined(words))}
	}
	return nil
}

// everyDay reports whether the days of month alone are all days.
func everyDay(d days) bool { return d.dom == allDoms || d.dow == allDows }

// eitherDay explains a cron that restricts both fields of days.
func eitherDay(words, fields []word) *fault.Fault {
	dom, dow := fields[2], fields[4]
	f := &fault.Fault{Offset: dom.offset, Message: fmt.Sprintf("a day counts if it is one of the days of the month (%s) or one of the days of the week (%s): either, as in crontab(5)",
		dom.text, dow.text)}
	calendar := ""
	if monthly, weekly, ok := Calendar(joined(words)); ok {
		calendar = fmt.Sprintf("if either is meant, write monthly: %q and weekly: %q in place of cron", monthly, weekly)
	}
	if strings.ContainsAny(dow.text, "#,-/") {
		if f.Hint = calendar; calendar == "" {
			f.Hint = "if either is meant, make two schedules of it, each with * in the other field; a day that is both has two slots then"
		}
		return f
	}
	week := nth(dom.text)
	fields[2].text, fields[4].text = "*", dow.text+week
	f.Hint = fmt.Sprintf("for one such day of the week in a month write %s", joined(words))
	if week == "" {
		f.Hint = fmt.Sprintf("no cron says that it must be both: write %s, and let the handler's when look at the day in event.time", joined(words))
	}
	if calendar != "" {
		f.Hint += "; " + calendar
	}
	return f
}

// Calendar writes a cron whose day matches by its day of the month or its day of the week as entries of monthly and weekly, which say aloud that
// either counts. It is false for any other cron, and for one whose days they can't say: it has one time of the day, in each month.
func Calendar(cron string) (monthly, weekly string, ok bool) {
	words := split(cron)
	e, err := parseCron(cron)
	if err != nil || len(words) < 5 || !e.days[0].either {
		return "", "", false
	}
	d, dom := e.days[0], words[len(words)-3].text
	if e.times.second != 1 || bits.OnesCount64(e.times.minute) != 1 || bits.OnesCount32(e.times.hour) != 1 || d.months != allMonths || d.dow == 0 ||
		strings.Trim(dom, "0123456789,") != "" || d.dom>>29 != 0 || d.nth != [7]uint8{} {
		return "", "", false // monthly has the month's last day in place of a 29th, 30th or 31st that is missing
	}
	var names []string
	for day := range 7 {
		if d.dow&(1<<day) != 0 {
			names = append(names, strings.ToUpper(dayNames[day][:3]))
		}
	}
	at := fmt.Sprintf(" %02d:%02d", bits.TrailingZeros32(e.times.hour), bits.TrailingZeros64(e.times.minute))
	return dom + at, strings.Join(names, ",") + at, true
}

// nth names the week of a month in which a range of days lies; empty: it is none of those.
func nth(dom string) string {
	switch dom {
	case "1", "1-7":
		return "#1"
	case "8-14":
		return "#2"
	case "15-21":
		return "#3"
	case "22-28":
		return "#4"
	case "L", "25-31":
		return "#L"
	}
	return ""
}

func joined(words []word) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	return strings.Join(texts, " ")
}
