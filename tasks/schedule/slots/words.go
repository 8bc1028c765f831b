package slots

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// dayKind says which of its two day fields a set of days is about.
type dayKind int

const (
	allDays   dayKind = iota
	ofMonth           // only the day of the month
	ofWeek            // only the day of the week
	eitherDay         // one or the other
	bothDays          // a day of the month that must be a day of the week
)

func (d *days) dayWords() dayKind {
	everyDom, everyDow := d.dom == allDoms, d.dow == allDows
	switch {
	case everyDom && everyDow, d.either && (everyDom || everyDow):
		return allDays
	case everyDow:
		return ofMonth
	case everyDom:
		return ofWeek
	case d.either:
		return eitherDay
	}
	return bothDays
}

// leading words the days for the front of a sentence: "every weekday", "on the 1st and last day of each month".
func (d *days) leading() (string, bool) {
	return d.words("every day", d.everyWeekday)
}

// trailing words the days for its end: "on weekdays", "on the 1st of each month".
func (d *days) trailing() (string, bool) {
	return d.words("", d.onWeekdays)
}

func (d *days) words(daily string, weekly func() string) (string, bool) {
	in := ""
	if d.months != allMonths {
		in = " in " + listNames(uint64(d.months>>1), monthNames, "and")
	}
	monthly, ok := "", true
	switch d.dayWords() {
	case allDays:
		return strings.TrimSpace(daily + in), true
	case ofWeek:
		return weekly() + in, true
	case ofMonth:
		monthly, ok = d.onDates()
	case eitherDay:
		monthly, ok = d.onDates()
		monthly += " and " + weekly() + in
	case bothDays:
		if d.nth != [7]uint8{} {
			return "", false
		}
		monthly, ok = d.onDates()
		monthly += " if it is a " + listNames(uint64(d.dow), dayNames, "or")
	}
	return monthly, ok
}

// everyWeekday: "every weekday", "every Monday and Friday", "on the second Friday of each month".
func (d *days) everyWeekday() string {
	return d.weekWords("every weekday", "every Saturday and Sunday", "every day from ", "every ", "")
}

// onWeekdays: "on weekdays", "on Mondays and Fridays".
func (d *days) onWeekdays() string {
	return d.weekWords("on weekdays", "on Saturdays and Sundays", "from ", "on ", "s")
}

func (d *days) weekWords(workdays, restdays, run, single, plural string) string {
	var parts []string
	switch first, n := weekRun(d.dow); {
	case d.dow == 0:
	case d.dow == weekdays:
		parts = append(parts, workdays)
	case d.dow == weekend:
		parts = append(parts, restdays)
	case n >= 3:
		parts = append(parts, run+title(dayNames[first])+" to "+title(dayNames[(first+n-1)%7]))
	default:
		parts = append(parts, single+strings.ReplaceAll(listNames(uint64(d.dow), dayNames, "and"), "day", "day"+plural))
	}
	if numbered := d.numberedWords(); numbered != "" {
		parts = append(parts, "on the "+numbered+d.ofMonths())
	}
	return join(parts, "and")
}

// weekRun returns the first day and the length of days of the week that follow each other; 0 if they don't.
func weekRun(dow uint8) (first, n int) {
	n = bits.OnesCount8(dow)
	if n == 7 || n == 0 {
		return 0, n
	}
	for first = 0; first < 7; first++ {
		if dow&(1<<first) != 0 && dow&(1<<((first+6)%7)) == 0 {
			break
		}
	}
	for i := range n {
		if dow&(1<<((first+i)%7)) == 0 {
			return 0, 0
		}
	}
	return first, n
}

// numberedWords: "second Monday and last Friday".
func (d *days) numberedWords() string {
	ordinals := []string{"last", "first", "second", "third", "fourth", "fifth"}
	var words []string
	for _, i := range []int{1, 2, 3, 4, 5, 0} {
		for day := range 7 {
			if dow := (day + 1) % 7; d.nth[dow]&(1<<i) != 0 { // from Monday
				words = append(words, ordinals[i]+" "+title(dayNames[dow]))
			}
		}
	}
	return join(words, "and")
}

// onDates: "on the 1st, 15th and last day of each month". It is false where that gets too long.
func (d *days) onDates() (string, bool) {
	var words []string
	set := d.dom
	if rest := d.orLast & (1<<29 - 1); rest != 0 {
		set |= rest // these days are in every month
	}
	if step, first, ok := daySteps(set); ok {
		words = append(words, "every "+ordinal(step)+" day from the "+ordinal(first))
		if set == d.dom && d.orLast|d.fromLast|d.nearest == 0 && !d.lastWeekday {
			return "on " + words[0] + d.ofMonths(), true
		}
		return "", false
	}
	for day := 1; day <= 31; day++ {
		if set&(1<<day) == 0 {
			continue
		}
		end := day
		for end < 31 && set&(1<<(end+1)) != 0 {
			end++
		}
		if end-day >= 2 {
			words = append(words, ordinal(day)+" to "+ordinal(end))
			day = end
		} else {
			words = append(words, ordinal(day))
		}
	}
	for _, day := range []int{29, 30} {
		if d.orLast&(1<<day) != 0 {
			words = append(words, ordinal(day)+" (or else the last day)")
		}
	}
	for rest := d.nearest; rest != 0; rest &= rest - 1 {
		words = append(words, "weekday nearest to the "+ordinal(bits.TrailingZeros32(rest)))
	}
	for n := 30; n > 0; n-- {
		if d.fromLast&(1<<n) != 0 {
			words = append(words, ordinal(n)+" day before the last")
		}
	}
	if d.lastWeekday {
		words = append(words, "last weekday")
	}
	if d.fromLast&1 != 0 || d.orLast&(1<<31) != 0 {
		words = append(words, "last day")
	}
	if len(words) > 6 {
		return "", false
	}
	return "on the " + join(words, "and") + d.ofMonths(), true
}

// daySteps recognises */2 and the like: five days of the month or more, evenly spread up to its end.
func daySteps(set uint32) (step, first int, ok bool) {
	if bits.OnesCount32(set) < 5 {
		return 0, 0, false
	}
	first = bits.TrailingZeros32(set)
	step = bits.TrailingZeros32(set&(set-1)) - first
	var all uint32
	for day := first; day <= 31; day += step {
		all |= 1 << day
	}
	return step, first, step > 1 && all == set
}

func (d *days) ofMonths() string {
	if d.months == allMonths {
		return " of each month"
	}
	return " of " + listNames(uint64(d.months>>1), monthNames, "and")
}

// listNames names the bits of a set; three or more in a row as a run.
func listNames(set uint64, names []string, and string) string {
	var words []string
	for i := 0; i < len(names); i++ {
		end := i
		for end < len(names) && set&(1<<end) != 0 {
			end++
		}
		switch {
		case end == i:
			continue
		case end-i >= 3 && and == "and" && len(names) == 12:
			words = append(words, title(names[i])+" to "+title(names[end-1]))
			i = end - 1
		default:
			words = append(words, title(names[i]))
		}
	}
	if len(names) == 7 && set&1 != 0 { // a week begins on Monday
		words = append(words[1:], words[0])
	}
	return join(words, and)
}

func listBits(set uint64) string {
	var words []string
	for ; set != 0; set &= set - 1 {
		words = append(words, fmt.Sprint(bits.TrailingZeros64(set)))
	}
	return join(words, "and")
}

func join(words []string, and string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + and + " " + words[last]
}

func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func ordinal(n int) string {
	suffix := "th"
	switch {
	case n/10 == 1:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return fmt.Sprint(n, suffix)
}

// count: "second" for one, else "5 seconds".
func count(n int, unit string) string {
	if n == 1 {
		return unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// interval words a duration after "every": "second", "5 seconds", "1 hour 30 minutes".
func interval(d time.Duration) string {
	text := length(d)
	if rest, ok := strings.CutPrefix(text, "1 "); ok && !strings.Contains(rest, " ") {
		return rest
	}
	return text
}

// length words a duration: "1 hour 30 minutes". Days aren't named: a day by the clock may have 23 hours.
func length(d time.Duration) string {
	var words []string
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}, {"millisecond", time.Millisecond}} {
		n := d / unit.size
		d -= n * unit.size
		switch n {
		case 0:
		case 1:
			words = append(words, "1 "+unit.name)
		default:
			words = append(words, fmt.Sprintf("%d %ss", n, unit.name))
		}
	}
	if d > 0 {
		words = append(words, d.String())
	}
	return strings.Join(words, " ")
}

// instant writes a time on a zone's clock, with seconds only where it has some.
func instant(t time.Time, loc *time.Location) string {
	layout := "2006-01-02 15:04"
	switch {
	case t.Nanosecond() != 0:
		layout = "2006-01-02 15:04:05.999999999"
	case t.Second() != 0:
		layout = "2006-01-02 15:04:05"
	}
	return t.In(loc).Format(layout)
}
