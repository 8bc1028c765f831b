package schedule

import (
	"testing"
	"time"

	"evrun/tasks/schedule/slots"
)

// A renamed schedule neither loses nor repeats a slot: while it runs, and over a stop. Its number and its pause go on, too.
func TestARenamedScheduleContinues(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		named := func(name, was string) *Entry {
			e := l.data(l.entry(name, slots.Spec{Every: time.Hour}), map[string]any{"n": "${ slot.number }"})
			e.Was, e.Version, e.Missed, e.Type = was, name, MissedAll, "tick"
			return e
		}
		l.start(named("first", ""))
		time.Sleep(150 * time.Minute) // two slots
		if _, err := l.s.Replace(t.Context(), []*Entry{named("second", "first")}, l.remember); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // the third
		if _, err := l.s.Pause(t.Context(), "second"); err != nil {
			t.Fatal(err)
		}
		l.end()
		time.Sleep(2 * time.Hour)
		l.start(named("third", "second"))
		if st, err := l.s.State(t.Context(), "third"); err != nil || !st.PausedByHand {
			t.Errorf("%+v, %v", st, err)
		}
		if _, err := l.s.Resume(t.Context(), "third"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // the fourth and the fifth, late
		var numbers []string
		for _, name := range []string{"first", "second", "third"} {
			numbers = append(numbers, l.journal(name).data...)
		}
		if want := []string{`{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`, `{"n":5}`}; !equal(numbers, want) {
			t.Errorf("got %v, want %v", numbers, want)
		}
		if marks, err := l.store.ScheduleMarks(t.Context()); err != nil || len(marks) != 1 {
			t.Errorf("marks %v, %v", marks, err)
		}
		l.end()
	})
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A schedule whose file gets another time zone has the slots of that zone from then on. Those of before are neither published again nor missed, and
// a schedule that follows no zone's clock goes on.
func TestAnotherTimeZoneOfTheFile(t *testing.T) {
	tokyo, err := slots.LoadZone("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, func(t *testing.T, l *life) { // it begins at midnight UTC
		in := func(zone *time.Location) []*Entry {
			daily := l.entry("daily", slots.Spec{Daily: []string{"09:00", "12:00"}, Zone: zone})
			hourly := l.data(l.entry("hourly", slots.Spec{Every: time.Hour, Zone: zone}), map[string]any{"n": "${ slot.number }"})
			for _, e := range []*Entry{daily, hourly} {
				e.Version, e.Missed = zone.String(), MissedAll
			}
			return []*Entry{daily, hourly}
		}
		l.start(in(time.UTC)...)
		time.Sleep(9*time.Hour + 30*time.Minute) // the 09:00 of UTC; 18:30 in Tokyo
		if _, err := l.s.Replace(t.Context(), in(tokyo), l.remember); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Hour) // 00:30 UTC: the 09:00 of Tokyo
		if got := l.journal("daily"); len(got.all()) != 2 {
			t.Errorf("slots of the daily one: %v", got.all())
		}
		if got := l.journal("hourly"); len(got.all()) != 24 || got.data[23] != `{"n":24}` {
			t.Errorf("%d slots of the hourly one, %v", len(got.all()), got.data)
		}
		l.end()
	})
}
