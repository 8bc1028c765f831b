package schedule

import (
	"slices"
	"testing"
	"time"

	"evrun/events"
	"evrun/tasks/schedule/slots"
)

// backfill publishes the slots from one hour of the bubble to another, in pages, and returns how many were new.
func (l *life) backfill(name string, from, to time.Time) (fired, known int) {
	l.t.Helper()
	st, err := l.s.State(l.t.Context(), name)
	if err != nil {
		l.t.Fatal(err)
	}
	b := st.Backfill(Span{from, to}, l.now())
	total := 0
	for page := (BackfillPage{More: true}); page.More; {
		page = b.Page(l.s.o.Emitter, page.Last, 3)
		if page.Err != nil {
			l.t.Fatal(page.Err)
		}
		receipts, err := l.store.Append(l.t.Context(), page.Events)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, rc := range receipts {
			if rc.Duplicate {
				known++
			} else {
				fired++
			}
		}
		total += page.Slots
	}
	if int64(total) != b.Count() || len(b.First(5)) != min(5, total) {
		l.t.Errorf("%d slots, of %d, first %v", total, b.Count(), b.First(5))
	}
	return fired, known
}

func TestABackfillPublishesWhatIsMissing(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.data(l.entry("tick", slots.Spec{Every: time.Hour}), map[string]any{"at": "${ slot.unix }"})
		e.Missed = MissedSkip
		begun := l.now()
		l.start(e)
		time.Sleep(3*time.Hour + time.Minute)
		l.end()
		time.Sleep(5 * time.Hour)
		l.start(e)
		time.Sleep(10 * time.Minute)
		if got := l.journal("tick"); len(got.slots) != 3 || got.counts["missed"] != 5 {
			t.Fatalf("%+v", got)
		}
		// From two hours before the schedule was first seen. The future is left out.
		if fired, known := l.backfill("tick", begun.Add(-2*time.Hour), begun.Add(100*time.Hour)); fired != 8 || known != 3 {
			t.Errorf("%d fired, %d known", fired, known)
		}
		if fired, known := l.backfill("tick", begun.Add(-2*time.Hour), begun.Add(8*time.Hour)); fired != 0 || known != 10 {
			t.Errorf("again: %d fired, %d known", fired, known)
		}
		if fired, known := l.backfill("tick", begun.Add(time.Minute), begun.Add(2*time.Minute)); fired+known != 0 {
			t.Errorf("between two slots: %d fired, %d known", fired, known)
		}
		time.Sleep(2 * time.Hour)
		got := l.journal("tick")
		if slices.Sort(got.slots); len(got.slots) != 13 || len(slices.Compact(got.slots)) != 13 {
			t.Errorf("in the end: %v", got.slots)
		}
	})
}

// A slot that was backfilled while its schedule was paused is not published again when it is resumed.
func TestABackfilledSlotIsNotPublishedLater(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.entry("tick", slots.Spec{Every: time.Hour})
		e.Missed = MissedAll
		begun := l.now()
		l.start(e)
		if _, err := l.s.Pause(t.Context(), "tick"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6*time.Hour + time.Minute)
		if fired, _ := l.backfill("tick", begun.Add(2*time.Hour), begun.Add(5*time.Hour)); fired != 3 {
			t.Errorf("%d fired", fired)
		}
		if _, err := l.s.Resume(t.Context(), "tick"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		got := l.journal("tick")
		if slices.Sort(got.slots); len(got.slots) != 7 || len(slices.Compact(got.slots)) != 7 {
			t.Errorf("%v", got.slots)
		}
		first, err := l.store.Event(t.Context(), SlotID(begun.Add(2*time.Hour)))
		if err != nil || first.Extensions["backfill"] != true {
			t.Errorf("%+v, %v", first, err)
		}
	})
}

func TestABackfillOfManySlotsIsCountedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		l.start(l.entry("tick", slots.Spec{Every: time.Second}))
		st, err := l.s.State(t.Context(), "tick")
		if err != nil {
			t.Fatal(err)
		}
		b := st.Backfill(Span{l.now().AddDate(-10, 0, 0), l.now()}, l.now())
		if n := b.Count(); n != 315_532_800 { // ten years, two of them leap years
			t.Errorf("%d slots", n)
		}
		var page []*events.Event
		if page = b.Page(l.s.o.Emitter, time.Time{}, 500).Events; len(page) != 500 {
			t.Errorf("a page of %d", len(page))
		}
	})
}
