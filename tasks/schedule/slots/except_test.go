package slots_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"evrun/tasks/schedule/slots"
)

// Days are those of the zone's clock, over each change of it. Slots are excepted by the day that the clock shows.
func TestExceptedDays(t *testing.T) {
	date := func(text string) time.Time {
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct{ zone, first, last, want string }{
		{"UTC", "2026-12-25", "2026-12-25", "2026-12-25T00:00:00Z 2026-12-26T00:00:00Z"},
		{"Europe/Paris", "2026-03-29", "2026-03-29", "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z"},        // 23 hours
		{"Europe/Paris", "2026-10-25", "2026-10-25", "2026-10-24T22:00:00Z 2026-10-25T23:00:00Z"},        // 25 hours
		{"America/New_York", "2026-11-01", "2026-11-02", "2026-11-01T04:00:00Z 2026-11-03T05:00:00Z"},    // two days
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04", "2018-11-04T03:00:00Z 2018-11-05T02:00:00Z"},   // it has no midnight
		{"Pacific/Apia", "2011-12-30", "2011-12-30", "2011-12-30T10:00:00Z 2011-12-30T10:00:00Z"},        // the zone skipped it
		{"Australia/Lord_Howe", "2026-04-05", "2026-04-05", "2026-04-04T13:00:00Z 2026-04-05T13:30:00Z"}, // half an hour longer
	} {
		zone, err := slots.LoadZone(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		span := slots.Days(zone, date(c.first), date(c.last))
		if got := span.From.Format(time.RFC3339) + " " + span.To.Format(time.RFC3339); got != c.want {
			t.Errorf("%s %s..%s: %s, want %s", c.zone, c.first, c.last, got, c.want)
		}
	}
}

// A timing with exceptions has exactly the slots of the same one without, less those in the spans: for Next, Count, Nth, Last and the limit.
func TestAMaskedTimingIsTheOtherLessTheSpans(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe"} {
		zone, err := slots.LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, begin := range []time.Time{time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)} {
			for i, spec := range []slots.Spec{{Every: 37 * time.Minute}, {Cron: "*/20 * * * *"}, {Cron: "30 1-3 * * *"}, {Daily: []string{"00:00", "02:30"}}, {Weekly: []string{"SUN 02:30"}}} {
				spec.Zone = zone
				end := begin.AddDate(0, 0, 40)
				for range 6 {
					from := begin.Add(time.Duration(rng.IntN(40*24)) * time.Hour)
					spec.Except = append(spec.Except, slots.Days(zone, from.Truncate(24*time.Hour), from.Truncate(24*time.Hour)),
						slots.Span{From: from, To: from.Add(time.Duration(rng.IntN(300)) * time.Minute)})
				}
				plain := spec
				plain.Except = nil
				whole, err := slots.New("x", plain)
				if err != nil {
					t.Fatal(err)
				}
				timing, err := slots.New("x", spec)
				if err != nil {
					t.Fatal(err)
				}
				if timing.Fingerprint() != whole.Fingerprint() {
					t.Error("the fingerprints differ")
				}
				all, _ := whole.Between(begin, end, 1_000_000)
				want := slices.DeleteFunc(slices.Clone(all), func(slot time.Time) bool {
					return slices.ContainsFunc(spec.Except, func(s slots.Span) bool { return !slot.Before(s.From) && slot.Before(s.To) })
				})
				got, _ := timing.Between(begin, end, 1_000_000)
				what := fmt.Sprint(name, " ", begin, " ", i)
				if !slices.EqualFunc(got, want, time.Time.Equal) || len(want) == 0 && len(all) > 10 {
					t.Fatalf("%s: %d slots, want %d of %d", what, len(got), len(want), len(all))
				}
				for range 50 {
					a := begin.Add(time.Duration(rng.IntN(40*24*60)) * time.Minute)
					b := a.Add(time.Duration(rng.IntN(20*24*60)) * time.Minute)
					between := slices.DeleteFunc(slices.Clone(want), func(slot time.Time) bool { return !slot.After(a) || slot.After(b) })
					if b.After(end) {
						continue
					}
					if n := timing.Count(a, b); n != int64(len(between)) {
						t.Fatalf("%s: %d slots from %v to %v, want %d", what, n, a, b, len(between))
					}
					if last, ok := timing.Last(a, b); ok != (len(between) > 0) || ok && !last.Equal(between[len(between)-1]) {
						t.Fatalf("%s: the last slot from %v to %v is %v", what, a, b, last)
					}
					if k := rng.IntN(5) + 1; k <= len(between) {
						if slot, ok := timing.Nth(a, int64(k)); !ok || !slot.Equal(between[k-1]) {
							t.Fatalf("%s: slot %d after %v is %v, want %v", what, k, a, slot, between[k-1])
						}
					}
				}
			}
		}
	}
}
