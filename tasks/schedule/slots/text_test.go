package slots_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"evrun/tasks/schedule/slots"
)

// parse reads a timing as slotCases has it.
func parse(t testing.TB, zone, text string) *slots.Timing {
	t.Helper()
	s, err := slots.New("test", spec(t, zone, text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func spec(t testing.TB, zone, text string) slots.Spec {
	t.Helper()
	loc, err := slots.LoadZone(zone)
	if err != nil {
		t.Fatal(err)
	}
	spec := slots.Spec{Zone: loc}
	timing, options, _ := strings.Cut(text, "; ")
	kind, rest, _ := strings.Cut(timing, " ")
	switch kind {
	case "every":
		spec.Every = duration(t, rest)
	case "cron":
		spec.Cron = rest
	case "daily":
		spec.Daily = strings.Split(rest, " + ")
	case "weekly":
		spec.Weekly = strings.Split(rest, " + ")
	case "monthly":
		spec.Monthly = strings.Split(rest, " + ")
	case "at":
		for _, at := range strings.Fields(rest) {
			spec.At = append(spec.At, instant(t, at))
		}
	default:
		t.Fatalf("unknown timing %q", timing)
	}
	if options == "" {
		return spec
	}
	for option := range strings.SplitSeq(options, "; ") {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "from":
			spec.From = instant(t, value)
		case "until":
			spec.Until = instant(t, value)
		case "limit":
			if spec.Limit, err = strconv.ParseInt(value, 10, 64); err != nil {
				t.Fatal(err)
			}
		case "jitter":
			spec.Jitter = duration(t, value)
		case "dst":
			spec.DST = slots.DST(value)
		default:
			t.Fatalf("unknown option %q", option)
		}
	}
	return spec
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func duration(t testing.TB, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// show writes a time as shortly as it can be.
func show(t time.Time) string {
	layout := "2006-01-02T15:04"
	switch {
	case t.Nanosecond() != 0:
		layout += ":05.000"
	case t.Second() != 0:
		layout += ":05"
	}
	if _, offset := t.Zone(); offset%60 != 0 {
		return t.Format(layout + "Z07:00:00")
	}
	return t.Format(layout + "Z07:00")
}
