package slots_test

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"
	"time"

	cron "github.com/netresearch/go-cron"
	"pgregory.net/rapid"

	"evrun/tasks/schedule/slots"
)

// zoneNames are zones with all kinds of clock changes: half hours, two hours, negative summer time, skipped and shifted days, none.
var zoneNames = []string{
	"Europe/Paris", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia",
	"Europe/Dublin", "Africa/Casablanca", "Antarctica/Troll", "Antarctica/Casey", "Pacific/Chatham", "Pacific/Kiritimati",
	"Pacific/Kwajalein", "Asia/Pyongyang", "Asia/Gaza", "America/Caracas", "America/St_Johns", "UTC",
}

// leaps are changes that chance would hardly find.
var leaps = []struct{ zone, at string }{
	{"Pacific/Apia", "2011-12-30T10:00:00Z"},
	{"Pacific/Kiritimati", "1994-12-31T10:00:00Z"},
	{"Pacific/Kwajalein", "1993-08-21T12:00:00Z"},
	{"America/Caracas", "2007-12-09T07:00:00Z"},
	{"Asia/Pyongyang", "2015-08-14T15:00:00Z"},
	{"Antarctica/Casey", "2010-03-04T15:00:00Z"},
}

// change draws a zone and an instant at which its clock changes.
func change(t *rapid.T) (loc *time.Location, at time.Time) {
	if rapid.IntRange(0, 3).Draw(t, "leap") == 0 {
		leap := rapid.SampledFrom(leaps).Draw(t, "leap")
		return location(t, leap.zone), instantOf(t, leap.at)
	}
	loc = location(t, rapid.SampledFrom(zoneNames).Draw(t, "zone"))
	from := time.Date(1975, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 80*365*24).Draw(t, "hour")) * time.Hour)
	if _, end := from.In(loc).ZoneBounds(); !end.IsZero() {
		from = end
	}
	return loc, from.UTC().Truncate(time.Minute) // some files have a change to the same offset at 2038-01-19 03:14:07
}

func location(t *rapid.T, name string) *time.Location {
	loc, err := slots.LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func instantOf(t *rapid.T, text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// drawCron draws five fields that our parser and go-cron's have to read alike. Mostly any day, so that changes are met.
func drawCron(t *rapid.T) string {
	item := func(label string, low, high int) string {
		a := rapid.IntRange(low, high).Draw(t, label)
		b := rapid.IntRange(low, high).Draw(t, label)
		switch rapid.IntRange(0, 5).Draw(t, label) {
		case 0:
			return fmt.Sprintf("%d", a)
		case 1:
			return fmt.Sprintf("%d,%d", a, b)
		case 2:
			return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
		case 3:
			if high-low > 6 || a <= b {
				return fmt.Sprintf("%d-%d", a, b) // past the end
			}
		case 4:
			if a, b = min(a, b), max(a, b); b-a >= 2 {
				return fmt.Sprintf("%d-%d/%d", a, b, rapid.IntRange(1, b-a).Draw(t, label))
			}
		}
		return fmt.Sprintf("*/%d", rapid.IntRange(2, (high-low)/2).Draw(t, label))
	}
	field := func(label string, star int, low, high int) string {
		if rapid.IntRange(0, 9).Draw(t, label) < star {
			return "*"
		}
		return item(label, low, high)
	}
	minute, hour, month := field("minute", 2, 0, 59), field("hour", 4, 0, 23), field("month", 9, 1, 12)
	dom, dow := "*", "*"
	switch rapid.IntRange(0, 9).Draw(t, "days") {
	case 0:
		dom = item("dom", 1, 31)
	case 1:
		dow = item("dow", 0, 6)
	case 2:
		dom = rapid.SampledFrom([]string{"L", "LW", "L-2", "30W", "1W", "15W,L", "28-31", "1,2"}).Draw(t, "dom")
	case 3:
		dow = rapid.SampledFrom([]string{"SUN", "mon-thu", "FRI#L", "SAT#5", "SUN#1,3", "sun#L,SAT"}).Draw(t, "dow")
	case 4:
		dom = rapid.SampledFrom([]string{"1,30", "L", "10-20"}).Draw(t, "dom")
		dow = rapid.SampledFrom([]string{"SUN", "MON-THU", "SAT#L"}).Draw(t, "dow")
	}
	return strings.Join([]string{minute, hour, dom, month, dow}, " ")
}

var oracle = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Extended | cron.DowOrDom)

// reference is go-cron's reading of a cron. It answers in UTC only, where it knows no changes of the clock.
func reference(t *rapid.T, text string) *cron.SpecSchedule {
	parsed, err := oracle.Parse(strings.ToLower(text)) // it refuses THU for its H
	if err != nil {
		t.Fatalf("go-cron: %q: %v", text, err)
	}
	spec := parsed.(*cron.SpecSchedule)
	spec.Location, spec.MaxSearchYears = time.UTC, 500
	return spec
}

// scan works out the slots in (from, to] minute by minute from what the clock on the wall shows.
func scan(spec *cron.SpecSchedule, loc *time.Location, rhythm bool, from, to time.Time) []time.Time {
	reading := func(at time.Time) time.Time {
		_, offset := at.In(loc).Zone()
		return at.Add(time.Duration(offset) * time.Second).UTC()
	}
	highest := time.Time{}
	for at := from.Add(-72 * time.Hour); !at.After(from); at = at.Add(time.Minute) {
		if r := reading(at); r.After(highest) {
			highest = r
		}
	}
	var slots []time.Time
	for at := from.Add(time.Minute); !at.After(to); at = at.Add(time.Minute) {
		r := reading(at)
		since := highest
		if rhythm {
			since = r.Add(-time.Second)
		}
		if r.After(highest) {
			highest = r
		}
		if next := spec.Next(since); !next.IsZero() && !next.After(r) {
			slots = append(slots, at)
		}
	}
	return slots
}

func TestCronAgreesWithAScanOfTheClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc, at := change(t)
		text := drawCron(t)
		spec := reference(t, text)
		s, err := slots.New("test", slots.Spec{Cron: text, Zone: loc})
		if err != nil {
			if spec.Next(at).IsZero() {
				t.Skip("never")
			}
			t.Fatal(err)
		}
		from := at.Add(-time.Duration(rapid.IntRange(0, 36*60).Draw(t, "before")) * time.Minute)
		to := at.Add(36 * time.Hour)
		rhythm := bits.OnesCount64(spec.Hour<<1) == 24 // without the star's bit
		want := scan(spec, loc, rhythm, from, to)
		got, more := s.Between(from, to, len(want)+10)
		if fmt.Sprint(got) != fmt.Sprint(want) || more {
			t.Fatalf("%q in %s in (%v, %v]\n got %v\nwant %v", text, loc, from.In(loc), to.In(loc), got, want)
		}
		if n := s.Count(from, to); n != int64(len(want)) {
			t.Fatalf("%q in %s: %d counted, want %d", text, loc, n, len(want))
		}
	})
}

func TestCronAgreesWithGoCronInUTC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawCron(t)
		spec := reference(t, text)
		after := time.Unix(rapid.Int64Range(-2e9, 6e9).Draw(t, "after"), 0).UTC()
		s, err := slots.New("test", slots.Spec{Cron: text})
		for range 20 {
			want := spec.Next(after)
			if err != nil {
				if want.IsZero() {
					return
				}
				t.Fatal(err)
			}
			got, _ := s.Next(after)
			if !got.Equal(want) {
				t.Fatalf("%q after %v: %v, go-cron says %v", text, after, got, want)
			}
			after = got
		}
	})
}

// drawSpec draws any kind of timing, bounded or not.
func drawSpec(t *rapid.T, loc *time.Location, near time.Time) slots.Spec {
	spec := slots.Spec{Zone: loc}
	clock := func() string {
		return fmt.Sprintf("%02d:%02d:%02d", rapid.IntRange(0, 3).Draw(t, "h"), rapid.IntRange(0, 59).Draw(t, "m"), rapid.SampledFrom([]int{0, 59}).Draw(t, "s"))
	}
	some := func(days ...string) []string {
		var out []string
		for range rapid.IntRange(1, 4).Draw(t, "entries") {
			entry := clock()
			if len(days) > 0 {
				entry = rapid.SampledFrom(days).Draw(t, "days") + " " + entry
			}
			out = append(out, entry)
		}
		return out
	}
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		spec.Every = time.Duration(rapid.Int64Range(1e8, 1e14).Draw(t, "every"))
	case 1:
		spec.Cron = drawCron(t)
	case 2:
		spec.Cron = fmt.Sprint(rapid.IntRange(0, 59).Draw(t, "second"), " ", drawCron(t))
	case 3:
		spec.Daily = some()
	case 4:
		spec.Weekly = some("MON", "SUN", "FRI-MON", "MON-FRI", "SAT,SUN")
		spec.Monthly = some("1", "31", "last", "28-30", "1,15,last")
	case 5:
		for range rapid.IntRange(1, 20).Draw(t, "times") {
			spec.At = append(spec.At, near.Add(time.Duration(rapid.Int64Range(-1e14, 1e15).Draw(t, "at"))))
		}
	}
	if rapid.Bool().Draw(t, "choose") && spec.Every == 0 && len(spec.At) == 0 {
		spec.DST = rapid.SampledFrom([]slots.DST{slots.DSTOnce, slots.DSTRhythm}).Draw(t, "dst")
	}
	if rapid.IntRange(0, 3).Draw(t, "bounded") == 0 {
		spec.From = near.Add(time.Duration(rapid.Int64Range(-1e14, 1e14).Draw(t, "from")))
		spec.Limit = rapid.Int64Range(0, 12).Draw(t, "limit")
	}
	return spec
}

func TestNextIsTheSameFromAnyStartingPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc, at := change(t)
		spec := drawSpec(t, loc, at)
		s, err := slots.New("test", spec)
		if err != nil {
			t.Skip(err)
		}
		start := at.Add(-time.Duration(rapid.Int64Range(0, int64(72*time.Hour)).Draw(t, "before")))
		slots, more := s.Between(start, latest, 12)
		previous := start
		for i, slot := range slots {
			if !slot.After(previous) {
				t.Fatalf("slot %v is not after %v", slot, previous)
			}
			gap := slot.Sub(previous)
			for range 3 {
				from := previous.Add(time.Duration(rapid.Int64Range(0, int64(gap)-1).Draw(t, "from")))
				if again, ok := s.Next(from); !ok || !again.Equal(slot) {
					t.Fatalf("after %v comes %v, after %v comes %v", previous, slot, from, again)
				}
			}
			if again, _ := s.Next(slot.Add(-1)); !again.Equal(slot) {
				t.Fatalf("just before %v the next is %v", slot, again)
			}
			if fire := s.Fire(slot); !fire.Equal(slot) {
				t.Fatalf("fires at %v without jitter", fire)
			}
			if n := s.Count(start, slot); n != int64(i+1) {
				t.Fatalf("%d slots in (%v, %v], want %d", n, start, slot, i+1)
			}
			if nth, ok := s.Nth(start, int64(i+1)); !ok || !nth.Equal(slot) {
				t.Fatalf("slot %d is %v, want %v", i+1, nth, slot)
			}
			if last, ok := s.Last(start, slot.Add(gap/2)); !ok || last.Before(slot) {
				t.Fatalf("the last slot up to %v is %v", slot, last)
			}
			previous = slot
		}
		if _, ok := s.Nth(start, int64(len(slots)+1)); ok != more {
			t.Fatalf("there is a slot %d: %v, want %v", len(slots)+1, ok, more)
		}
	})
}

var latest = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
