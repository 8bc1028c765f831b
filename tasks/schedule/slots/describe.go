package slots

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// Describe says in words when the slots are: "every weekday at 09:00 Europe/Paris". A cron that has no short wording
// that is also true is quoted: cron "*/7 * * * *" UTC.
func (s *Timing) Describe() string {
	var text string
	zoned := true
	switch kind := s.series.(type) {
	case every:
		text, zoned = "every "+interval(kind.interval), false
	case list:
		text = "once at " + s.describeList(kind)
	case *clock:
		phrase, bare := s.describeClock(kind)
		text, zoned = phrase, !bare || s.loc != time.UTC
	}
	if zoned {
		text += " " + s.loc.String()
	}
	at := func(t time.Time) string {
		if zoned {
			return instant(t, s.loc)
		}
		return instant(t, s.loc) + " " + s.loc.String()
	}
	if !s.spec.From.IsZero() {
		text += ", from " + at(s.spec.From)
	}
	if !s.spec.Until.IsZero() {
		text += ", until " + at(s.spec.Until)
	}
	switch s.spec.Limit {
	case 0:
	case 1:
		text += ", once"
	default:
		text += fmt.Sprintf(", %d times", s.spec.Limit)
	}
	if s.spec.Jitter > 0 {
		text += ", up to " + length(s.spec.Jitter) + " late"
	}
	return text
}

func (s *Timing) describeList(l list) string {
	if len(l) > 4 {
		return fmt.Sprintf("each of %d times from %s to %s", len(l), instant(l[0], s.loc), instant(l[len(l)-1], s.loc))
	}
	words := make([]string, len(l))
	for i, t := range l {
		words[i] = instant(t, s.loc)
	}
	return join(words, "and")
}

// describeClock words the wall-clock kinds; bare means that neither days nor hours are named.
func (s *Timing) describeClock(c *clock) (text string, bare bool) {
	if s.spec.Cron == "" {
		return describeTimetable(c.wall), false
	}
	e := c.wall[0]
	d := &e.days[0]
	everyDay := d.dayWords() == allDays && d.months == allMonths
	quoted := fmt.Sprintf("cron %q", strings.Join(strings.Fields(s.spec.Cron), " "))
	if at, ok := e.times.listed(everyDay); ok {
		days, ok := d.leading()
		if !ok {
			return quoted, false
		}
		return days + " at " + at, false
	}
	often, windowed, ok := e.times.often(everyDay)
	if !ok {
		return quoted, false
	}
	if everyDay {
		return often, !windowed
	}
	days, ok := d.trailing()
	if !ok {
		return quoted, false
	}
	return often + " " + days, false
}

// describeTimetable words daily, weekly and monthly: the times of each set of days together.
func describeTimetable(w wall) string {
	type group struct {
		days  []days
		times []string
	}
	var groups []*group
	for _, e := range w {
		at, _ := e.times.listed(true)
		i := slices.IndexFunc(groups, func(g *group) bool { return slices.Equal(g.days, e.days) })
		if i < 0 {
			i, groups = len(groups), append(groups, &group{days: e.days})
		}
		groups[i].times = append(groups[i].times, at)
	}
	var parts []string
	for _, g := range groups {
		var on []string
		for i := range g.days {
			words, ok := g.days[i].leading()
			if !ok {
				words = fmt.Sprintf("on %d days of each month", bits.OnesCount32(g.days[i].dom|g.days[i].orLast))
			}
			on = append(on, words)
		}
		parts = append(parts, join(on, "and")+" at "+join(g.times, "and"))
	}
	return strings.Join(parts, "; ")
}

// listed names times of day one by one, where they are few: "09:00 and 17:30".
func (t times) listed(everyDay bool) (string, bool) {
	n := t.perDay()
	if n > 8 || n > 4 && (t.hour == allHours || t.spaced(everyDay)) || bits.OnesCount64(t.second) > 1 && n > 4 {
		return "", false
	}
	withSeconds := t.second != 1
	var words []string
	for from := 0; ; {
		at, ok := t.next(from)
		if !ok {
			return join(words, "and"), true
		}
		text := fmt.Sprintf("%02d:%02d", at/3600, at/60%60)
		if withSeconds {
			text += fmt.Sprintf(":%02d", at%60)
		}
		words = append(words, text)
		if from = at + 1; from == daySeconds {
			return join(words, "and"), true
		}
	}
}

// spaced reports whether often has a short wording for an hour field with one minute, or minutes with one hour.
func (t times) spaced(everyDay bool) bool {
	_, _, ok := t.often(everyDay)
	return ok
}

// often words times of day that come at an interval: "every 15 minutes from 09:00 to 17:45". Windowed means that hours
// are named.
func (t times) often(everyDay bool) (text string, windowed, ok bool) {
	minute := bits.TrailingZeros64(t.minute)
	switch {
	case t.second != 1:
		if t.minute != allMinutes || t.hour != allHours {
			return "", false, false
		}
		if step, ok := regular(t.second, 60); ok {
			return "every " + count(step, "second"), false, true
		}
		return "at " + listBits(t.second) + " seconds past every minute", false, bits.OnesCount64(t.second) <= 6
	case bits.OnesCount64(t.minute) == 1:
		if t.hour == allHours {
			if minute == 0 {
				return "every hour", false, true
			}
			return "at " + count(minute, "minute") + " past every hour", false, true
		}
		first := bits.TrailingZeros32(t.hour)
		if step, ok := regular(uint64(t.hour)>>first, 24); ok && first < step {
			return fmt.Sprintf("every %d hours from %02d:%02d", step, first, minute), true, true
		}
		window, ok := t.window(everyDay)
		return "every hour" + window, true, ok
	}
	window, ok := t.window(everyDay)
	if !ok {
		return "", false, false
	}
	windowed = t.hour != allHours
	if step, ok := regular(t.minute, 60); ok {
		return "every " + count(step, "minute") + window, windowed, true
	}
	if bits.OnesCount64(t.minute) > 6 {
		return "", false, false
	}
	if windowed {
		window = "," + window
	}
	return "at " + listBits(t.minute) + " minutes past every hour" + window, windowed, true
}

// window words a run of hours: " from 09:00 to 17:45"; "" for all hours. A run over midnight is one only where every day
// has it.
func (t times) window(everyDay bool) (string, bool) {
	if t.hour == allHours {
		return "", true
	}
	first := bits.TrailingZeros32(t.hour)
	n := bits.OnesCount32(t.hour)
	if t.hour&1 != 0 && t.hour>>23 != 0 && everyDay {
		first = 24 - bits.LeadingZeros32(^(t.hour << 8)) // where the run that ends the day begins
	}
	for i := range n {
		if t.hour&(1<<((first+i)%24)) == 0 {
			return "", false
		}
	}
	last := 63 - bits.LeadingZeros64(t.minute)
	return fmt.Sprintf(" from %02d:%02d to %02d:%02d", first, bits.TrailingZeros64(t.minute), (first+n-1)%24, last), true
}

// regular reports whether a set is all multiples of a step that divides the size: the steps that a reader may take for an
// interval.
func regular(set uint64, size int) (step int, ok bool) {
	n := bits.OnesCount64(set)
	if n < 2 || size%n != 0 {
		return 0, false
	}
	step = size / n
	for v := 0; v < size; v += step {
		if set&(1<<v) == 0 {
			return 0, false
		}
	}
	return step, true
}
