package timeline_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks/emitter"
	"evrun/tasks/schedule"
	"evrun/tasks/schedule/slots"
	"evrun/tasks/schedule/timeline"
	"evrun/tasks/taskstest"
)

// world is a store with schedules, in a bubble that begins at midnight UTC of 1 January 2000, a Saturday.
type world struct {
	*testing.T
	store *sqlite.Store
	em    *emitter.Emitter
	all   schedule.Stored
}

func inWorld(t *testing.T, f func(w *world)) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	synctest.Test(t, func(t *testing.T) {
		s, stop := taskstest.OpenStore(t, path, sqlite.Options{Unwatched: true, Synchronous: "off"})
		defer stop()
		w := &world{T: t, store: s, em: emitter.New(s, 0)}
		w.all = schedule.Stored{Store: s, Emitter: w.em}
		f(w)
	})
}

// wire adds a schedule that is first seen now.
func (w *world) wire(name string, spec slots.Spec) *schedule.Entry {
	w.Helper()
	timing, err := slots.New(name, spec)
	if err != nil {
		w.Fatal(err)
	}
	e := &schedule.Entry{Name: name, Timing: timing, Type: "tick." + name}
	w.all.Entries = append(w.all.Entries, e)
	now := time.Now().UTC()
	mark := store.ScheduleMark{Name: name, Since: now, Slot: now, Timing: timing.Fingerprint()}
	if err := w.store.SaveMarks(w.Context(), []store.ScheduleMark{mark}, nil); err != nil {
		w.Fatal(err)
	}
	return e
}

// fire publishes the slots from a time, inclusive, to another, exclusive.
func (w *world) fire(e *schedule.Entry, from, to time.Time) {
	w.Helper()
	list, _ := e.Timing.Between(from.Add(-1), to.Add(-1), 10_000)
	for _, slot := range list {
		ev, err := e.Event(e.Timing, slot, time.Time{})
		if err == nil {
			err = w.em.Own(e.Part(), ev)
		}
		if err == nil {
			_, err = w.store.Append(w.Context(), []*events.Event{ev})
		}
		if err != nil {
			w.Fatal(err)
		}
	}
}

// leave reports slots as left out.
func (w *world) leave(e *schedule.Entry, reason string, from, to time.Time) {
	w.Helper()
	n := e.Timing.Count(from.Add(-1), to.Add(-1))
	first, _ := e.Timing.Next(from.Add(-1))
	last, _ := e.Timing.Nth(from.Add(-1), n)
	ev, err := w.em.Notice(events.TypeScheduleMissed, "missed-"+e.Name+schedule.SlotID(last), map[string]any{
		"schedule": e.Name, "type": e.Type, "reason": reason, "count": n, "first": schedule.SlotID(first), "last": schedule.SlotID(last),
	})
	if err == nil {
		_, err = w.store.Append(w.Context(), []*events.Event{ev})
	}
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) schedules() timeline.Schedules {
	w.Helper()
	states, err := w.all.States(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return timeline.Schedules{Journal: w.store, Source: w.em.Source, All: states, Now: time.Now()}
}

func (w *world) page(q timeline.Query) timeline.SlotList {
	w.Helper()
	s := w.schedules()
	p, err := s.Page(w.Context(), q)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func (w *world) days(q timeline.DaysQuery) timeline.SlotDays {
	w.Helper()
	s := w.schedules()
	d, err := s.Days(w.Context(), q)
	if err != nil {
		w.Fatal(err)
	}
	return d
}

func day(month time.Month, d int) time.Time { return time.Date(2000, month, d, 0, 0, 0, 0, time.UTC) }

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := slots.LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// text is a line for each slot.
func text(p timeline.SlotList) string {
	var b strings.Builder
	for _, s := range p.Slots {
		fmt.Fprintf(&b, "%s %s %s", s.Slot.UTC().Format("02 15:04"), s.Schedule, s.State)
		if s.Reason != "" {
			b.WriteString(" " + s.Reason)
		}
		if len(s.With) > 0 {
			fmt.Fprintf(&b, " with %s", strings.Join(s.With, ","))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestATimelineHasThePastAndWhatComes(t *testing.T) {
	inWorld(t, func(w *world) {
		night := w.wire("night", slots.Spec{Daily: []string{"02:00"}})
		w.wire("report", slots.Spec{Daily: []string{"02:00", "08:00"}})
		w.wire("tick", slots.Spec{Every: time.Minute})
		w.fire(night, day(1, 1), day(1, 3))
		time.Sleep(4 * 24 * time.Hour)
		w.leave(night, "missed", day(1, 3), day(1, 4))
		p := w.page(timeline.Query{Names: []string{"night"}, From: day(1, 1).AddDate(0, 0, -1), To: day(1, 6), Limit: 100})
		if got, want := text(p), `31 02:00 night unknown with report
01 02:00 night published with report
02 02:00 night published with report
03 02:00 night missed missed with report
04 02:00 night unknown with report
05 02:00 night coming with report
`; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		if p.Slots[0].Number != 0 || p.Slots[1].Number != 1 || p.Slots[1].Sequence != 1 || p.Next != nil {
			t.Errorf("%+v", p)
		}
		// The newest first, page by page.
		var all string
		for q := (timeline.Query{Names: []string{"night"}, From: day(1, 1), To: day(1, 5), Limit: 3, Newest: true}); ; {
			p := w.page(q)
			if all += text(p); p.Next == nil {
				break
			}
			q.To = *p.Next
		}
		if want := `04 02:00 night unknown with report
03 02:00 night missed missed with report
02 02:00 night published with report
01 02:00 night published with report
`; all != want {
			t.Errorf("got\n%swant\n%s", all, want)
		}
		// What is folded is counted, and slots of one time stay together.
		p = w.page(timeline.Query{From: day(1, 5), To: day(1, 7), Limit: 1, Fold: 10})
		if got, want := text(p), "05 02:00 night coming with report\n05 02:00 report coming with night\n"; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		if len(p.Folded) != 1 || p.Folded[0].Slots != 2*24*60 || p.Folded[0].Schedule != "tick" || p.Next == nil || !p.Next.Equal(day(1, 5).Add(8*time.Hour)) {
			t.Errorf("%+v", p)
		}
	})
}

func TestDaysOfASchedule(t *testing.T) {
	inWorld(t, func(w *world) {
		time.Sleep(24 * time.Hour)
		night := w.wire("night", slots.Spec{Daily: []string{"02:00"}})
		w.wire("report", slots.Spec{Weekly: []string{"MON 02:00"}})
		w.fire(night, day(1, 1), day(1, 4)) // that of the first day by a backfill
		time.Sleep(6 * 24 * time.Hour)
		w.leave(night, "missed", day(1, 4), day(1, 7))
		w.fire(night, day(1, 5), day(1, 6)) // by a backfill
		d := w.days(timeline.DaysQuery{Names: []string{"night"}, First: day(1, 1), Days: 10})
		var got []string
		for _, day := range d.Days {
			got = append(got, fmt.Sprintf("%s:%d/%d/%d/%d", day.Date[8:], day.Slots, day.Published, day.Missed, day.Together))
		}
		if want := "01:1/1/0/0 02:1/1/0/0 03:1/1/0/1 04:1/0/1/0 05:1/1/0/0 06:1/0/1/0 07:1/0/0/0 08:1/0/0/0 09:1/0/0/0 10:1/0/0/1"; strings.Join(got, " ") != want {
			t.Errorf("got  %v\nwant %s", got, want)
		}
		if !d.Complete || d.Recorded != nil || d.Timezone != "UTC" || len(d.Together) != 1 || d.Together[0].Slots != 2 || !d.Together[0].Next.Equal(day(1, 10).Add(2*time.Hour)) {
			t.Errorf("%+v", d)
		}
	})
}

// A schedule with a slot a second is counted, and none of its slots is looked at.
func TestDaysOfAFrequentSchedule(t *testing.T) {
	inWorld(t, func(w *world) {
		tick := w.wire("tick", slots.Spec{Every: time.Second})
		w.wire("night", slots.Spec{Daily: []string{"02:00"}})
		time.Sleep(100 * 24 * time.Hour)
		w.leave(tick, "missed", day(1, 2).Add(12*time.Hour), day(1, 4).Add(time.Hour))
		w.leave(tick, "overlap", day(1, 9), day(1, 9).Add(time.Second))
		d := w.days(timeline.DaysQuery{Names: []string{"tick"}, First: day(1, 1), Days: timeline.MaxDays})
		if first := (timeline.SlotDay{Date: "2000-01-01", Slots: 86399, Published: 86399}); d.Days[0] != first {
			t.Errorf("%+v", d.Days[0])
		}
		for i, want := range map[int]int64{1: 43200, 2: 86400, 3: 3600, 8: 1, 9: 0, 200: 0} {
			if d.Days[i].Missed != want || i < 10 && d.Days[i].Published+want != 86400 || i == 200 && d.Days[i].Published != 0 {
				t.Errorf("%+v, want %d missed", d.Days[i], want)
			}
		}
		if fmt.Sprint(d.Frequent) != "[tick]" || len(d.Together) != 0 || len(d.Days) != 371 || !d.Complete {
			t.Errorf("%v %v", d.Frequent, d.Together)
		}
	})
}

func TestChangesOfTheClockAreRemarked(t *testing.T) {
	inWorld(t, func(w *world) {
		paris := zone(t, "Europe/Paris")
		w.wire("night", slots.Spec{Daily: []string{"02:30"}, Zone: paris})
		w.wire("often", slots.Spec{Cron: "*/10 * * * *", Zone: paris})
		w.wire("noon", slots.Spec{Daily: []string{"12:00"}, Zone: paris})
		d := w.days(timeline.DaysQuery{First: day(1, 1), Days: 366})
		var got []string
		for _, c := range d.Changes {
			got = append(got, fmt.Sprintf("%s %s→%s", c.At.Format("01-02"), c.From, c.To))
			for _, s := range c.Slots {
				got = append(got, fmt.Sprintf("%s %s %s +%d", s.Schedule, s.Slot.Format("15:04"), s.Clock, s.More))
			}
		}
		want := `03-26 02:00→03:00
night 03:00 02:30:00 is skipped by the clock +0
10-29 03:00→02:00
night 02:30 the first of two 02:30:00 +0
often 02:00 the first of two 02:00:00 +11`
		if strings.Join(got, "\n") != want || d.Timezone != "Europe/Paris" {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
		}
	})
}

// A year of many schedules takes a bounded time.
func BenchmarkDaysOfManySchedules(b *testing.B) {
	var all []schedule.State
	for i := range 1000 {
		timing, err := slots.New(fmt.Sprint(i), slots.Spec{Cron: fmt.Sprintf("%d %d * * *", i%60, i%24), Zone: time.UTC})
		if err != nil {
			b.Fatal(err)
		}
		e := &schedule.Entry{Name: fmt.Sprint(i), Timing: timing, Type: "a.b"}
		st, err := (&schedule.Stored{Entries: []*schedule.Entry{e}}).State(b.Context(), e.Name)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, st)
	}
	s := timeline.Schedules{All: all, Now: time.Now(), Source: func(string) string { return "" }}
	for _, names := range [][]string{nil, {"7"}} {
		b.Run(fmt.Sprint(len(names)), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Days(b.Context(), timeline.DaysQuery{Names: names, First: timeline.HalfYearAgo(s.Now), Days: timeline.MaxDays}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
