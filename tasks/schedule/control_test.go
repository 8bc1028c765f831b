package schedule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/schedule/slots"
)

func TestReplaceSchedules(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		hourly := l.data(l.entry("tick", slots.Spec{Every: time.Hour}), map[string]any{"n": "${ slot.number }", "before": "${ previous?.unix }"})
		hourly.Version, hourly.Missed = "1", MissedAll
		gone := l.entry("gone", slots.Spec{Every: time.Hour})
		l.start(hourly, gone)
		time.Sleep(150 * time.Minute)
		other := *hourly
		other.Version, other.Type = "2", "tock"
		added := l.entry("added", slots.Spec{Every: time.Hour})
		changes, err := l.s.Replace(t.Context(), []*Entry{&other, added}, l.remember)
		if err != nil || fmt.Sprint(changes) != "{[added] [gone] [tick]}" {
			t.Fatalf("%v %v", changes, err)
		}
		time.Sleep(2 * time.Hour)
		got := l.journal("tick")
		if want := `[{"before":null,"n":1} {"before":946688400,"n":2} {"before":946692000,"n":3} {"before":946695600,"n":4}]`; fmt.Sprint(got.data) != want {
			t.Errorf("data %v, want %v", got.data, want)
		}
		if a, g := l.journal("added"), l.journal("gone"); len(a.slots) != 2 || len(g.slots) != 2 {
			t.Errorf("added has %d, gone %d", len(a.slots), len(g.slots))
		}
		// A schedule with another timing starts over: none of its slots was missed.
		l.end()
		time.Sleep(24 * time.Hour)
		half := l.entry("tick", slots.Spec{Every: 30 * time.Minute})
		half.Missed = MissedAll
		l.start(half)
		time.Sleep(time.Minute)
		if again := l.journal("tick"); len(again.all()) != len(got.slots) {
			t.Errorf("%d slots of before, or of another timing", len(again.all())-len(got.slots))
		}
		time.Sleep(time.Hour)
		if again := l.journal("tick"); len(again.slots) != len(got.slots)+2 {
			t.Errorf("%d slots of the new timing", len(again.slots)-len(got.slots))
		}
		// A schedule that was removed and added again starts over, too.
		if _, err := l.s.Replace(t.Context(), []*Entry{half, gone}, l.remember); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if g := l.journal("gone"); len(g.all()) != 3 {
			t.Errorf("gone came back with %d slots", len(g.all()))
		}
		l.end()
	})
}

// If another part of the transaction of a replacement fails, the running schedules and their marks don't change.
func TestARefusedReplacementLeavesTheSchedules(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		hourly, gone := l.entry("tick", slots.Spec{Every: time.Hour}), l.entry("gone", slots.Spec{Every: time.Hour})
		l.start(hourly, gone)
		time.Sleep(90 * time.Minute)
		before, err := l.store.ScheduleMarks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		refused := errors.New("another handler's migration failed")
		asked := ""
		_, err = l.s.Replace(t.Context(), []*Entry{l.entry("tick", slots.Spec{Every: time.Minute}), l.entry("new", slots.Spec{Every: time.Minute})},
			func(fresh []store.ScheduleMark, gone []string) error {
				asked = fmt.Sprint(len(fresh), gone)
				return refused
			})
		if !errors.Is(err, refused) || asked != "2 [gone]" {
			t.Errorf("%v, of %s", err, asked)
		}
		if after, err := l.store.ScheduleMarks(t.Context()); err != nil || !maps.Equal(before, after) {
			t.Errorf("%v, want %v, %v", after, before, err)
		}
		time.Sleep(time.Hour)
		for name, want := range map[string]int{"tick": 2, "gone": 2, "new": 0} {
			if got := len(l.journal(name).all()); got != want {
				t.Errorf("%s has %d slots, want %d", name, got, want)
			}
		}
		l.end()
	})
}

func TestManualEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.data(l.entry("tick", slots.Spec{Every: time.Hour}), map[string]any{"at": "${ slot.unix }"})
		e.Paused = true
		l.start(e)
		time.Sleep(90 * time.Minute)
		ev, err := l.s.Manual(t.Context(), "tick")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.store.Append(t.Context(), []*events.Event{ev}); err != nil {
			t.Fatal(err)
		}
		if want := `{"at":946690200}`; string(ev.Data) != want || ev.Extensions["manual"] != true {
			t.Errorf("%s %v", ev.Data, ev.Extensions)
		}
		time.Sleep(time.Hour)
		if got := l.journal("tick"); len(got.all()) != 0 || got.manual != 1 {
			t.Errorf("%d slots, %d manual", len(got.all()), got.manual)
		}
		if _, err := l.s.Manual(t.Context(), "none"); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		if _, err := l.s.Resume(t.Context(), "tick"); !errors.Is(err, ErrPausedByFile) {
			t.Error(err)
		}
		l.end()
	})
}

func TestPausesAreRecordedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		l.start(l.entry("tick", slots.Spec{Every: time.Hour}))
		ada := audit.With(t.Context(), audit.Actor{UID: 1000, User: "ada"})
		for _, change := range []func(context.Context, string) (bool, error){l.s.Pause, l.s.Resume} {
			for first := range 2 { // the second time nothing changes
				if changed, err := change(ada, "tick"); changed != (first == 0) || err != nil {
					t.Errorf("changed %v, %v", changed, err)
				}
			}
		}
		if _, err := l.s.Pause(ada, "none"); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		evs, err := l.store.Events(t.Context(), store.EventQuery{Patterns: []events.Pattern{events.MustPattern("evrun.audit.>")}})
		if err != nil || len(evs) != 2 || evs[0].Type != events.TypeAuditSchedulePaused || evs[1].Type != events.TypeAuditScheduleResumed {
			t.Fatalf("%d events, %v", len(evs), err)
		}
		if want := `{"schedule":"tick","uid":1000,"user":"ada","who":"ada (uid 1000)"}`; string(evs[0].Data) != want {
			t.Errorf("%s, want %s", evs[0].Data, want)
		}
		l.end()
	})
}

func TestASlotWhoseDataFails(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.data(l.entry("tick", slots.Spec{Every: time.Hour}), map[string]any{"n": "${ 1 % (slot.number - slot.number) }"})
		l.start(e)
		time.Sleep(3*time.Hour + time.Minute)
		got := l.journal("tick")
		if len(got.slots) != 0 || got.counts["error"] != 3 {
			t.Errorf("%d published, left out %v", len(got.slots), got.counts)
		}
		l.end()
	})
}

func TestALimitHoldsOverRestarts(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.entry("tick", slots.Spec{Every: time.Hour, Limit: 5})
		for range 4 {
			l.start(e)
			time.Sleep(2*time.Hour + time.Minute)
			l.end()
		}
		l.start(e)
		if got := l.journal("tick"); len(got.slots) != 5 {
			t.Errorf("%d slots, want 5", len(got.slots))
		}
		if st, err := l.s.State(t.Context(), "tick"); err != nil || len(st.Upcoming(1)) != 0 {
			t.Errorf("more are to come: %v", err)
		}
		l.end()
	})
}
