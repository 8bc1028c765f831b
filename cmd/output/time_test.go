package output

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// Elsewhere than on a terminal a time is the same text as in JSON; on a terminal it is in the zone of the output.
func TestTimes(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 26, 14, 4, 5, 0, time.UTC)
	people := &Printer{Terminal: true, Zone: paris, Now: now}
	for _, x := range []struct {
		ago                            time.Duration
		clock, recent, full, elsewhere string
	}{
		{0, "15:04:05", "now", "2026-11-26 15:04:05 CET, now", "2026-11-26T14:04:05Z"},
		{200*time.Second - 500*time.Millisecond, "15:00:45", "3m ago", "2026-11-26 15:00:45.5 CET, 3m ago", "2026-11-26T14:00:45.5Z"},
		{-200 * time.Second, "15:07:25", "in 3m20s", "2026-11-26 15:07:25 CET, in 3m20s", "2026-11-26T14:07:25Z"},
		{16 * time.Hour, "Nov 25 23:04", "16h ago", "2026-11-25 23:04:05 CET, 16h ago", "2026-11-25T22:04:05Z"},
		{40 * day, "Oct 17 16:04", "2026-10-17", "2026-10-17 16:04:05 CEST, 40d ago", "2026-10-17T14:04:05Z"},
		{365 * day, "2025-11-26 15:04", "2025-11-26", "2025-11-26 15:04:05 CET, 365d ago", "2025-11-26T14:04:05Z"},
	} {
		at := now.Add(-x.ago)
		got := fmt.Sprintf("%s|%s|%s|%s", people.Clock(at), people.Ago(at), people.Time(at), (&Printer{}).Time(at.In(paris)))
		if want := x.clock + "|" + x.recent + "|" + x.full + "|" + x.elsewhere; got != want {
			t.Errorf("%v ago:\n%s\n%s", x.ago, got, want)
		}
	}
	if got := people.Clock(time.Time{}) + people.Ago(time.Time{}) + people.Time(time.Time{}); got != "---" {
		t.Errorf("the zero time: %s", got)
	}
	if got := people.cell(Elapsed(now.Add(-90 * time.Second))).Text; got != "1m30s so far" {
		t.Errorf("what goes on: %s", got)
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 420 * time.Nanosecond: "0s", 42 * time.Microsecond: "42µs", 350*time.Millisecond + 400*time.Microsecond: "350ms",
		999*time.Millisecond + 600*time.Microsecond: "1s", 1234 * time.Millisecond: "1.2s", 59960 * time.Millisecond: "1m",
		184 * time.Second: "3m04s", time.Hour - time.Millisecond: "1h", 125 * time.Minute: "2h05m", 76 * time.Hour: "3d04h", 72 * time.Hour: "3d",
		-1500 * time.Millisecond: "-1.5s", math.MinInt64: "-0s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
