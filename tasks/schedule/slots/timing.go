// Package slots turns the timing of a schedule, as a user writes it, into slots: the nominal times at which an event is published.
// It is pure time: it imports no store, no events and no logger.
//
// A [Timing] is a pure function from a time to the next slot. It never looks at the clock, holds no state, and answers
// the same whatever the starting point: for every t in [s1, s2), where s1 and s2 are neighbouring slots, Next(t) is s2.
// Slots only grow, are in UTC, and lie in the years 1 to 9999. All methods may be called from several goroutines.
//
//	paris, _ := slots.LoadZone("Europe/Paris")
//	s, err := slots.New("report", slots.Spec{Cron: "0 9 * * MON-FRI", Zone: paris})
//	if err != nil { … }                      // a *fault.Fault: which key, where in it, what to do
//	slot, ok := s.Next(time.Now())           // the next weekday's 09:00 in Paris
//	fmt.Println(s.Describe())                // cron "0 9 * * MON-FRI" Europe/Paris
//
// # When clocks change
//
// An `every` counts real time and doesn't notice. The others follow the zone's clock, in one of two ways ([DST]):
//
//   - Once: a slot fires at the first instant at which the zone's clock shows its time or a later one. So one in the
//     spring gap fires at the gap's end, at the very instant when the clock is put forward (several in one gap are one
//     slot there, and so is one that is due at that instant anyway); one in the repeated hour fires on its first pass
//     only; and those of a day that a zone skipped whole (Pacific/Apia, 30 December 2011) fire as one slot at the
//     first instant of the day that followed. Each slot fires once, none is lost.
//   - Rhythm: every instant at which the zone's clock shows a matching time is a slot. Both passes of the repeated hour
//     have theirs, the gap has none, and nothing piles up at its end. Where the clock is shifted by whole hours
//     `*/30 * * * *` keeps its half hours of real time through both changes; where it is shifted by half an hour
//     (Australia/Lord_Howe) one interval of an hourly slot is 1 h 30 min.
//
// Daily, weekly and monthly slots are Once. A cron is a Rhythm if its hour field matches all 24 hours (`*`, `*/1`,
// `0-23`, `@hourly`), else Once: `0 */2 * * *` names twelve hours of the day, and each of them fires exactly once on
// each day. [Spec.DST] chooses otherwise.
//
// # Cron
//
// Five fields (minute, hour, day of month, month, day of week), or six with seconds first. Names (MON, monday, JAN), lists,
// ranges that may run past the end (22-2, FRI-MON), steps (*/5, 10-50/10, 5/15 for 5-59/15), ? for * in the two day
// fields, and of Quartz L, L-3, LW, 15W in the day of month, FRI#2 and FRI#L in the day of week. @yearly, @monthly,
// @weekly, @daily and @hourly. As in crontab(5), a day matches if either of the two day fields does when both are
// restricted, that is, when neither begins with *; else both must match.
//
// The parser is our own. go-cron's (v0.9.1) refuses THU for its H, takes "*-5" for "*" and "," for nothing at all,
// counts FRI-MON/2 wrongly, and its errors say not where; its Next takes 65 µs in UTC and 420 µs in Paris to
// a leap day on a Monday, and mixes matching with its own ideas of DST. The tests hold ours against it where it is right.
package slots

import (
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"math/bits"
	"time"

	"evrun/tasks/fault"
)

// MinEvery is the shortest interval that `every` takes.
const MinEvery = 100 * time.Millisecond

// Caps on what one schedule may hold. They keep a hostile file from holding up its check.
const (
	maxCron    = 1024 // bytes of a cron
	maxEntry   = 256  // bytes of one entry of daily, weekly or monthly
	maxEntries = 1000 // entries of daily, weekly and monthly together
	maxAt      = 10_000
)

// Spec is a schedule's timing as a user writes it. Exactly one of Every, Cron, At, and the group Daily, Weekly,
// Monthly is set; those three may be combined, and their slots are united.
type Spec struct {
	// Every is the interval of slots that are whole multiples of it from the Unix epoch, or from From where that is
	// set: the same after each restart. At least MinEvery.
	Every time.Duration
	// Cron has five fields, six with seconds first, or is @daily and the like: see the package comment.
	Cron string
	// Daily holds times of day: "09:00", "09:00:30".
	Daily []string
	// Weekly holds days of the week and a time: "MON 09:00", "MON-FRI 09:00", "SAT,SUN 10:30".
	Weekly []string
	// Monthly holds days of the month and a time: "1 09:00", "1,15 09:00", "last 18:00". A day that a month lacks is
	// its last day: "31 09:00" has a slot in every month.
	Monthly []string
	// At holds instants, once each, in any order. Doubles are one slot.
	At []time.Time

	// Zone is whose clock Cron, Daily, Weekly and Monthly follow, and in which Describe writes times; nil: UTC.
	Zone *time.Location
	// DST says how slots of Cron, Daily, Weekly and Monthly pass a change of the clock; "": as the package comment says.
	DST DST

	// From and Until bound the slots: From ≤ slot < Until, so that a schedule until T and its successor from T share
	// none and miss none. Zero: no bound.
	From, Until time.Time
	// Limit is the number of slots in all; 0: no limit. They are counted from the first that is not before From, or from
	// the first of At. Without either, Next ignores the limit until [Timing.CountedFrom] sets a beginning.
	Limit int64
	// Jitter delays each slot's publishing by less than this, by an amount that is the slot's own: see [Timing.Fire].
	Jitter time.Duration
	// Except are times without slots, in any order. A time in them at which a slot would be is not counted, and never missed.
	Except []Span

	listed bool // At was given; its times are in the series
}

// DST says what happens to wall-clock slots when the clocks change.
type DST string

const (
	DSTAuto   DST = ""       // rhythm for a cron that matches every hour of the day, once for all else
	DSTOnce   DST = "once"   // each slot once: at the gap's end, or on the first pass
	DSTRhythm DST = "rhythm" // each matching instant: none for the gap, both passes of the repeated hour
)

// Timing is a checked Spec. It is immutable.
type Timing struct {
	name    string
	spec    Spec
	loc     *time.Location
	series  series
	fired   series    // without what is excepted
	from    time.Time // the first instant that may be a slot
	until   time.Time // the first that may not, any more
	base    time.Time // slots are numbered from the first that is after it
	counted bool      // base is known
}

// series is a kind of timing, without bounds.
type series interface {
	next(after time.Time) (time.Time, bool)         // the first slot after
	count(from, to time.Time) int64                 // slots in (from, to]
	nth(after time.Time, n int64) (time.Time, bool) // the n-th slot after, from 1
}

// New checks a spec and compiles it. The name seeds the jitter and nothing else. Its error is a [*fault.Fault], whose path begins at the schedule.
func New(name string, spec Spec) (*Timing, error) {
	s := &Timing{name: name, spec: spec, loc: spec.Zone, from: earliest, until: latest}
	if s.loc == nil {
		s.loc = time.UTC
	}
	if err := s.compile(); err != nil {
		return nil, err
	}
	if err := s.bound(); err != nil {
		return nil, err
	}
	return s, nil
}

// compile checks that there is one kind of timing, and makes its series.
func (s *Timing) compile() *fault.Fault {
	spec := &s.spec
	if err := spec.checkKind(); err != nil {
		return err
	}
	if err := checkZone(s.loc); err != nil {
		return err
	}
	switch {
	case spec.Every != 0:
		if spec.Every < MinEvery {
			return fault.At([]any{"every"}, "%s is shorter than the least interval, %s", spec.Every, MinEvery)
		}
		s.series = every{interval: spec.Every, anchor: anchorOf(spec.From)}
	case len(spec.At) > 0:
		at, err := listOf(spec.At)
		if err != nil {
			return err
		}
		s.series, spec.At, spec.listed = at, nil, true
	case spec.Cron != "":
		entry, err := parseCron(spec.Cron)
		if err != nil {
			return err.Within("cron")
		}
		rhythm := spec.DST == DSTRhythm || spec.DST == DSTAuto && entry.times.hour == allHours
		s.series = &clock{loc: s.loc, wall: wall{entry}, rhythm: rhythm}
	default:
		w, err := parseCalendar(spec)
		if err != nil {
			return err
		}
		s.series = &clock{loc: s.loc, wall: w, rhythm: spec.DST == DSTRhythm}
	}
	return nil
}

// checkKind refuses a spec without a timing, one with several that can't be combined, and a DST that has no effect.
func (spec *Spec) checkKind() *fault.Fault {
	var set []string
	for _, kind := range []struct {
		field string
		given bool
	}{
		{"every", spec.Every != 0},
		{"cron", spec.Cron != ""},
		{"daily", len(spec.Daily) > 0},
		{"weekly", len(spec.Weekly) > 0},
		{"monthly", len(spec.Monthly) > 0},
		{"at", len(spec.At) > 0},
	} {
		if kind.given {
			set = append(set, kind.field)
		}
	}
	switch realTime := spec.realTime(); {
	case len(set) == 0:
		return fault.New("no timing is given").Hinting("give one of every, cron, daily, weekly, monthly, at")
	case len(set) > 1 && (realTime || spec.Cron != ""):
		return &fault.Fault{
			Path: []any{set[1]}, Key: true, Message: fmt.Sprintf("%s is given as well as %s", set[1], set[0]),
			Hint: "give one of them; daily, weekly and monthly alone may be combined",
		}
	case spec.DST != DSTAuto && spec.DST != DSTOnce && spec.DST != DSTRhythm:
		return fault.At([]any{"dst"}, "unknown choice %q", string(spec.DST)).Hinting("once or rhythm")
	case spec.DST != DSTAuto && realTime:
		return fault.At([]any{"dst"}, "%s takes no notice of clock changes", set[0]).Hinting("leave dst out")
	}
	return nil
}

// realTime reports whether the slots are the same in each zone.
func (spec *Spec) realTime() bool { return spec.Every != 0 || spec.listed || len(spec.At) > 0 }

// bound checks from, until, limit and jitter, and works the limit into until.
func (s *Timing) bound() *fault.Fault {
	spec := &s.spec
	if !spec.From.IsZero() {
		if !inRange(spec.From) {
			return fault.At([]any{"from"}, "from lies outside the years 1 to 9999")
		}
		s.from = spec.From.Round(0).UTC()
	}
	if !spec.Until.IsZero() {
		if !inRange(spec.Until) {
			return fault.At([]any{"until"}, "until lies outside the years 1 to 9999")
		}
		s.until = spec.Until.Round(0).UTC()
		if !spec.From.IsZero() && !s.from.Before(s.until) {
			return fault.At([]any{"until"}, "until is not after from")
		}
	}
	if spec.Limit < 0 {
		return fault.At([]any{"limit"}, "%d is negative", spec.Limit).Hinting("leave it out for no limit")
	}
	if spec.Jitter < 0 {
		return fault.At([]any{"jitter"}, "%s is negative", spec.Jitter)
	}
	if f := s.except(); f != nil {
		return f
	}
	if _, ok := s.Next(earliest.Add(-1)); !ok {
		return s.barren()
	}
	if _, at := s.series.(list); at || !spec.From.IsZero() {
		s.countFrom(s.from.Add(-1))
	}
	return nil
}

// barren explains why a schedule has no slot.
func (s *Timing) barren() *fault.Fault {
	switch {
	case !s.spec.Until.IsZero():
		return fault.At([]any{"until"}, "there is no slot before it").Hinting("until is exclusive: a slot at that very time is left out")
	case !s.spec.From.IsZero():
		return fault.At([]any{"from"}, "there is no slot at or after it")
	}
	return fault.New("there is no slot in the years 1 to 9999")
}

// countFrom numbers the slots from the first one after base, and makes the limit an end.
func (s *Timing) countFrom(base time.Time) {
	s.base, s.counted = base, true
	if s.spec.Limit == 0 {
		return
	}
	if last, ok := s.fired.nth(Later(base, s.from.Add(-1)), s.spec.Limit); ok && last.Before(s.until) {
		s.until = last.Add(1)
	}
}

// CountedFrom returns the same schedule with its slots numbered, and limited, from the first one after t: for a schedule
// with neither From nor At, of which the store has the time when it was first seen. With either it returns s itself.
func (s *Timing) CountedFrom(t time.Time) *Timing {
	if s.counted {
		return s
	}
	c := *s
	c.countFrom(t.Round(0).UTC())
	return &c
}

// Next returns the first slot that is strictly after a time, or false when there is none. The slot is nominal: without
// jitter.
func (s *Timing) Next(after time.Time) (slot time.Time, ok bool) {
	slot, ok = s.fired.next(Later(after, s.from.Add(-1)))
	if !ok || !slot.Before(s.until) {
		return time.Time{}, false
	}
	return slot, true
}

// Between returns the slots in (from, to], oldest first and at most max of them, and whether there are more.
func (s *Timing) Between(from, to time.Time, max int) (slots []time.Time, more bool) {
	for {
		slot, ok := s.Next(from)
		if !ok || slot.After(to) {
			return slots, false
		}
		if len(slots) >= max {
			return slots, true
		}
		slots = append(slots, slot)
		from = slot
	}
}

// Fire returns when to publish a slot: the slot plus its jitter. The jitter follows from the schedule's name and
// the slot alone, so it is the same in every process. It is less than Jitter, and less than the time to the next slot:
// slots are published in their order.
func (s *Timing) Fire(slot time.Time) time.Time {
	span := s.spec.Jitter
	if span <= 0 {
		return slot
	}
	if next, ok := s.Next(slot); ok {
		span = min(span, next.Sub(slot))
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%d.%d", s.name, slot.Unix(), slot.Nanosecond())
	delay, _ := bits.Mul64(mix(h.Sum64()), uint64(span)) // hash / 2⁶⁴ × span
	return slot.Add(time.Duration(delay))
}

// mix spreads a hash over all its bits: splitmix64's finalizer.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Jitter is [Spec.Jitter].
func (s *Timing) Jitter() time.Duration { return s.spec.Jitter }

// Fingerprint returns a text that two timings share only if they have the same slots by the same spec. Limit, jitter and what is excepted
// don't count.
func (s *Timing) Fingerprint() string {
	spec := &s.spec
	at, _ := s.series.(list)
	zone := s.loc
	if spec.realTime() {
		zone = time.UTC
	}
	text := fmt.Sprintf("every %s cron %q daily %q weekly %q monthly %q at %v zone %s dst %s from %s until %s", spec.Every, spec.Cron,
		spec.Daily, spec.Weekly, spec.Monthly, []time.Time(at), zone, spec.DST, spec.From.UTC(), spec.Until.UTC())
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
}

// Location returns the zone whose clock the schedule follows, UTC where none was given.
func (s *Timing) Location() *time.Location { return s.loc }

// Slots lie between these, earliest included and latest not.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
)

func inRange(t time.Time) bool { return !t.Before(earliest) && t.Before(latest) }

// Later returns the later of two times.
func Later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
