package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A schedule with do has the slots that it would have with emit, and the same handler as one that is wired to it by hand.
func TestAScheduleWithDoHasTheSlotsOfOneWithEmit(t *testing.T) {
	timings := []string{
		`every: 90s`, `cron: "*/7 2-4 * * *"`, `cron: "30 2 * * SUN", timezone: Europe/Paris, dst: rhythm`, `daily: ["02:30", "23:59"], timezone: America/New_York`,
		`weekly: MON-FRI 09:00`, `monthly: [last 18:00, 1 00:00]`, `at: 2030-12-24T18:00:00Z`, `daily: "02:30", except: [2030-12-25, 2030-12-27..2030-12-31]`,
		`every: 1h, from: 2030-03-01T00:00:00Z, until: 2030-03-02T00:00:00Z, jitter: 5m`, `daily: "12:00", limit: 3, from: 2030-12-24T18:00:00Z`,
	}
	var file strings.Builder
	file.WriteString("timezone: Australia/Lord_Howe\nschedules:\n")
	for i, timing := range timings {
		fmt.Fprintf(&file, "  - {name: s%d, %s, missed: all, grace: 5m, overlap: queue, data: {n: \"${ slot.number }\"}, emit: schedule.s%[1]d}\n", i, timing)
	}
	file.WriteString("handlers:\n")
	for i := range timings {
		fmt.Fprintf(&file, "  - {name: s%d, on: schedule.s%[1]d, do: log, with: {message: m}, retry: {attempts: 2}, concurrency: 1}\n", i)
	}
	apart := load(t, file.String())

	file.Reset()
	file.WriteString("timezone: Australia/Lord_Howe\nschedules:\n")
	for i, timing := range timings {
		fmt.Fprintf(&file, "  - {name: s%d, %s, missed: all, grace: 5m, overlap: queue, data: {n: \"${ slot.number }\"}, do: log, with: {message: m}, retry: {attempts: 2}, concurrency: 1}\n", i, timing)
	}
	together := load(t, file.String())

	if len(together.Wiring.Schedules) != len(timings) || len(together.Wiring.Handlers) != len(timings) {
		t.Fatalf("%d schedules, %d handlers", len(together.Wiring.Schedules), len(together.Wiring.Handlers))
	}
	from := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, s := range together.Wiring.Schedules {
		other := apart.Wiring.Schedules[i]
		if s.Name != other.Name || s.Type != other.Type || s.Missed != other.Missed || s.Grace != other.Grace || s.Overlap != other.Overlap {
			t.Errorf("%s: %+v and %+v", timings[i], s, other)
		}
		want, _ := other.Timing.Between(from, from.AddDate(1, 0, 0), 2000)
		got, _ := s.Timing.Between(from, from.AddDate(1, 0, 0), 2000)
		if len(want) == 0 || !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("%s: %d slots, and %d with emit", timings[i], len(got), len(want))
		}
		h, byHand := together.Wiring.Handlers[i], apart.Wiring.Handlers[i]
		if h.Name != byHand.Name || !slices.Equal(h.On, byHand.On) || h.Kind != byHand.Kind || h.Retry != byHand.Retry || h.Concurrency != byHand.Concurrency {
			t.Errorf("%s: %+v and %+v", timings[i], h, byHand)
		}
	}
}
