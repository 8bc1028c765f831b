package slots_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"evrun/tasks/schedule/slots"
)

var kinds = []struct{ name, spec string }{
	{"every", "every 5s"},
	{"minutes", "cron */15 * * * *"},
	{"weekdays", "cron 0 9 * * MON-FRI"},
	{"seconds", "cron * * * * * *"},
	{"daily", "daily 02:30"},
	{"monthly", "monthly last 18:00"},
	{"leap day", "cron 0 9 29 2 *"},
	{"leap day on a Monday", "cron 0 9 * 2 MON#5"},
	{"leap day on a Monday, every minute", "cron * * * 2 MON#5"},
	{"at", "at 2030-01-01T00:00:00Z"},
}

func BenchmarkNext(b *testing.B) {
	for _, k := range kinds {
		for _, zone := range []string{"UTC", "Europe/Paris"} {
			b.Run(k.name+" in "+zone, func(b *testing.B) {
				s := parse(b, zone, k.spec)
				start := instant(b, "2026-03-01T00:00:00Z")
				after := start
				b.ReportAllocs()
				for b.Loop() {
					slot, ok := s.Next(after)
					if after = slot; !ok {
						after = start
					}
				}
			})
		}
	}
}

// BenchmarkCount counts three years; BenchmarkLast finds the last slot in them.
func BenchmarkCount(b *testing.B) {
	overThreeYears(b, func(s *slots.Timing, from, to time.Time) { s.Count(from, to) })
}
func BenchmarkLast(b *testing.B) {
	overThreeYears(b, func(s *slots.Timing, from, to time.Time) { s.Last(from, to) })
}

func overThreeYears(b *testing.B, do func(s *slots.Timing, from, to time.Time)) {
	for _, spec := range []string{"every 1s", "cron * * * * * *", "daily 02:30"} {
		b.Run(spec, func(b *testing.B) {
			s := parse(b, "Europe/Paris", spec)
			from := instant(b, "2023-01-01T00:00:00Z")
			for b.Loop() {
				do(s, from, from.AddDate(3, 0, 0))
			}
		})
	}
}

// BenchmarkLoad makes 10,000 schedules of all kinds and asks each for its next slot.
func BenchmarkLoad(b *testing.B) {
	specs := tenThousand(b)
	b.ReportAllocs()
	for b.Loop() {
		load(b, specs)
	}
}

func TestTenThousandSchedulesAreSmall(t *testing.T) {
	specs := tenThousand(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	all := load(t, specs)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 40<<20 {
		t.Errorf("%d schedules take %d MB, want at most 40", len(all), used>>20)
	} else {
		t.Logf("%d schedules take %d kB", len(all), used>>10)
	}
	runtime.KeepAlive(specs)
	runtime.KeepAlive(all)
}

func tenThousand(t testing.TB) []slots.Spec {
	specs := make([]slots.Spec, 10_000)
	for i := range specs {
		specs[i] = spec(t, zoneNames[i%len(zoneNames)], kinds[i%len(kinds)].spec)
	}
	return specs
}

func load(t testing.TB, specs []slots.Spec) []*slots.Timing {
	all := make([]*slots.Timing, len(specs))
	now := instant(t, "2026-03-01T00:00:00Z")
	for i, spec := range specs {
		s, err := slots.New(fmt.Sprint("schedule-", i), spec)
		if err != nil {
			t.Fatal(err)
		}
		s.Next(now)
		all[i] = s
	}
	return all
}
