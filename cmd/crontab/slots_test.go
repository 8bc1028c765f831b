package crontab

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"evrun/tasks/schedule/slots"
)

// named are the short forms of crontab(5).
var named = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

// matches is cron's own rule for one field, written down a second time: lists of ranges with steps, and names.
func matches(t *testing.T, field string, value, low, high int, names string) bool {
	number := func(text string) int {
		if i := strings.Index(names, strings.ToLower(text)); i >= 0 && len(text) == 3 {
			return low + i/4
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("field %q: %v", field, err)
		}
		return n
	}
	for part := range strings.SplitSeq(field, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		from, to, step := low, high, 1
		if stepped {
			step = number(stepText)
		}
		if span != "*" {
			a, b, ranged := strings.Cut(span, "-")
			from = number(a)
			if to = from; ranged {
				to = number(b)
			}
		}
		for n := from; n <= to; n += step {
			if n == value || high == 7 && n%7 == value {
				return true
			}
		}
	}
	return false
}

// fires is cron's rule for a minute. It looks at both days where one has a star, and at either where none has.
func fires(t *testing.T, fields []string, at time.Time) bool {
	if !matches(t, fields[0], at.Minute(), 0, 59, "") || !matches(t, fields[1], at.Hour(), 0, 23, "") ||
		!matches(t, fields[3], int(at.Month()), 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec") {
		return false
	}
	day, weekday := matches(t, fields[2], at.Day(), 1, 31, ""), matches(t, fields[4], int(at.Weekday()), 0, 7, "sun mon tue wed thu fri sat")
	if fields[2][0] == '*' || fields[4][0] == '*' {
		return day && weekday
	}
	return day || weekday
}

// Over a year, the schedule of each line has the slots at which cron would start the line's command.
func TestTheSlotsAreThoseOfCron(t *testing.T) {
	begin := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(1, 0, 0)
	for _, path := range crontabs(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{o: optionsFor(path), names: map[string]bool{}}
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			r.line(n, strings.TrimSpace(line))
		}
		if len(r.entries) == 0 {
			t.Errorf("%s has no entry", path)
		}
		for _, e := range r.entries {
			if e.reboot {
				continue // it has no slots
			}
			t.Run(e.cron, func(t *testing.T) {
				t.Parallel()
				fields := strings.Fields(strings.TrimPrefix(e.text, "-")) // of the crontab, not those that were carried over
				if f, is := named[fields[0]]; is {
					fields = strings.Fields(f)
				}
				var want, got []int64
				for at := begin; at.Before(end); at = at.Add(time.Minute) {
					if fires(t, fields, at) {
						want = append(want, at.Unix())
					}
				}
				timing, err := slots.New("x", slots.Spec{Cron: e.cron})
				if err != nil {
					t.Fatal(err)
				}
				for at, ok := timing.Next(begin.Add(-time.Second)); ok && at.Before(end); at, ok = timing.Next(at) {
					got = append(got, at.Unix())
				}
				if len(want) == 0 || !slices.Equal(got, want) {
					t.Errorf("%s:%d: %d slots, want %d", path, e.line, len(got), len(want))
				}
			})
		}
	}
}
