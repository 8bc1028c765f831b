package schedule

import (
	"testing"
	"testing/synctest"
	"time"

	"evrun/tasks/schedule/slots"
)

func TestPoliciesAfterADay(t *testing.T) {
	// Hourly; the clock jumps by a day at half past two, and comes to half past two: 24 slots have passed, the last half an
	// hour ago, over the grace of a minute.
	for _, c := range []struct {
		missed    Missed
		published int
		left      int
	}{{MissedSkip, 0, 24}, {MissedLast, 1, 23}, {MissedAll, 24, 0}} {
		for _, how := range []string{"suspended", "down", "paused"} {
			t.Run(string(c.missed)+" "+how, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, l *life) {
					l.wake = time.Minute
					e := l.entry("tick", slots.Spec{Every: time.Hour})
					e.Missed = c.missed
					l.start(e)
					time.Sleep(150 * time.Minute)
					if got := l.journal("tick"); len(got.slots) != 2 {
						t.Fatalf("%d slots before", len(got.slots))
					}
					reason := "missed"
					switch how {
					case "suspended":
						l.set(24 * time.Hour)
						time.Sleep(l.wake) // it wakes up by itself
					case "down":
						l.end()
						time.Sleep(24 * time.Hour)
						l.start(e)
					case "paused":
						reason = "paused"
						if changed, err := l.s.Pause(t.Context(), "tick"); !changed || err != nil {
							t.Fatal(changed, err)
						}
						time.Sleep(12 * time.Hour)
						l.end() // the pause outlives the daemon
						time.Sleep(6 * time.Hour)
						l.start(e)
						time.Sleep(6 * time.Hour)
						if st, err := l.s.State(t.Context(), "tick"); err != nil || !st.PausedByHand {
							t.Fatal("the pause was forgotten", err)
						}
						if changed, err := l.s.Resume(t.Context(), "tick"); !changed || err != nil {
							t.Fatal(changed, err)
						}
					}
					synctest.Wait()
					got := l.journal("tick")
					if len(got.slots) != 2+c.published || got.counts[reason] != c.left || len(got.left[reason]) != c.left {
						t.Errorf("%d slots published, left out %v; want %d and %d", len(got.slots)-2, got.counts, c.published, c.left)
					}
					time.Sleep(time.Hour)
					if again := l.journal("tick"); len(again.slots) != len(got.slots)+1 {
						t.Errorf("the hour after has %d slots", len(again.slots)-len(got.slots))
					}
					l.end()
				})
			})
		}
	}
}

func TestTheClockIsSetBack(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.entry("tick", slots.Spec{Every: time.Minute})
		l.start(e)
		time.Sleep(2*time.Hour + time.Second)
		l.set(-time.Hour)
		time.Sleep(59 * time.Minute)
		if got := l.journal("tick"); len(got.slots) != 120 {
			t.Errorf("%d slots: the hour that came twice has its slots once", len(got.slots))
		}
		l.end()
		l.start(e) // still before the mark
		time.Sleep(11 * time.Minute)
		if got := l.journal("tick"); len(got.slots) != 130 || len(got.counts) != 0 {
			t.Errorf("%d slots, left out %v", len(got.slots), got.counts)
		}
		l.end()
	})
}

func TestTheNewestOfManyMissed(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.entry("tick", slots.Spec{Every: time.Minute})
		e.Missed, e.MaxMissed = MissedAll, 1500
		l.start(e)
		time.Sleep(time.Second)
		l.end()
		time.Sleep(5000*time.Minute + 30*time.Second) // the last one is on time
		l.start(e)
		synctest.Wait()
		got := l.journal("tick")
		if len(got.slots) != 1501 || got.counts["missed"] != 3499 || len(got.left["missed"]) != maxListed {
			t.Errorf("%d published, left out %v, of which %d are listed", len(got.slots), got.counts, len(got.left["missed"]))
		}
		l.end()
	})
}
