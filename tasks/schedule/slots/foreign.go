package slots

import (
	"fmt"
	"strconv"
	"strings"

	"evrun/tasks/fault"
)

// wrongNumber is the fault of a cron without five or six fields. Quartz has seven, with the year; AWS writes rate(5 minutes).
func wrongNumber(words []word) *fault.Fault {
	err := fault.New("cron has %d fields, not five or six", len(words)).Hinting(fiveFields)
	if len(words) > 6 {
		err.Offset = words[6].offset
		err.Hint = "there is no field for the year: " + inYears(words[6].text)
		if words[6].text == "*" && len(words) == 7 {
			err.Hint = "there is no field for the year: leave this * out"
		}
	}
	if n, unit, ok := awsRate(words); ok {
		err.Message, err.Hint = "rate(…) is of AWS, not a cron", fmt.Sprintf("write every: %s%c in place of cron", n, unit)
	}
	return err
}

// inYears says how a schedule is bounded to the years of Quartz's seventh field, such as 2027 or 2027-2029.
func inYears(text string) string {
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		last = first
	}
	for _, year := range []*string{&first, &last} {
		if n, err := strconv.ParseUint(*year, 10, 16); err != nil || n < 1970 || n > 2199 {
			*year = "2027"
		}
	}
	return fmt.Sprintf("leave it out, and write from: %s-01-01T00:00:00Z and until: %s-12-31T23:59:59Z beside the cron", first, last)
}

// awsRate reads the rate(5 minutes) of AWS.
func awsRate(words []word) (n string, unit byte, ok bool) {
	n, ok = strings.CutPrefix(words[0].text, "rate(")
	if _, err := strconv.ParseUint(n, 10, 16); !ok || err != nil || len(words) != 2 {
		return "", 0, false
	}
	switch strings.TrimSuffix(strings.TrimSuffix(words[1].text, ")"), "s") {
	case "minute", "hour", "day":
		return n, words[1].text[0], true
	}
	return "", 0, false
}

// jenkins explains an item of a list with Jenkins' H, a moment that differs by job, which spreads load: here, jitter does.
func (f *cronField) jenkins(item string) string {
	span, step, stepped := strings.Cut(item, "/")
	if span != "H" && !strings.HasPrefix(span, "H(") {
		return ""
	}
	instead := strconv.Itoa(f.min)
	if stepped {
		instead = "*/" + step
		if inner, ok := strings.CutPrefix(span, "H("); ok {
			instead = strings.TrimSuffix(inner, ")") + "/" + step
		}
	}
	if spread := map[string]string{"second": "10s", "minute": "5m", "hour": "1h"}[f.name]; spread != "" {
		return fmt.Sprintf("write %s in its place; jitter: %s beside cron spreads load", instead, spread)
	}
	return "write * or a day of your choice; jitter: 1h beside cron spreads load"
}

// withYear adds to an error that AWS has six fields with the year at the end, where that explains it: one of its day fields is a ?.
func withYear(err *fault.Fault, first word, rest []word) *fault.Fault {
	if year := rest[4].text; first.offset < rest[0].offset && (rest[1].text == "?" || rest[3].text == "?") && (year == "*" || len(year) == 4) {
		err.Hint = "six fields begin with the second, and have no year at the end: write " + joined(append([]word{first}, rest[:4]...))
	}
	return err
}
