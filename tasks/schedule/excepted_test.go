package schedule

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"evrun/tasks/schedule/slots"
)

// Excepted slots are neither published, nor counted, nor missed: not while the schedule runs, not over a stop, and not when the file forgets a day that is over.
func TestExceptedSlotsAreNone(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		t.Run(fmt.Sprintf("stopped=%v", stopped), func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *life) {
				begin := time.Now().UTC().Truncate(24 * time.Hour)
				entry := func(version string, off ...slots.Span) *Entry {
					e := l.data(l.entry("tick", slots.Spec{Every: 6 * time.Hour, Except: off}), map[string]any{"n": "${ slot.number }"})
					e.Version, e.Missed = version, MissedAll
					return e
				}
				dayOff := slots.Span{From: begin.AddDate(0, 0, 1), To: begin.AddDate(0, 0, 2)}
				l.start(entry("1", dayOff))
				if stopped {
					time.Sleep(20 * time.Hour) // three slots
					l.end()
					time.Sleep(20 * time.Hour)
					l.start(entry("1", dayOff))
					time.Sleep(6 * time.Hour) // still within the day
					l.end()
					time.Sleep(time.Hour)
					l.start(entry("2"))
				} else {
					time.Sleep(47 * time.Hour)
					if _, err := l.s.Replace(t.Context(), []*Entry{entry("2")}, l.remember); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Until(begin.AddDate(0, 0, 2).Add(7 * time.Hour))) // two slots
				got := l.journal("tick")
				want := []string{`{"n":1}`, `{"n":2}`, `{"n":3}`}
				if !slices.Equal(got.data[:min(3, len(got.data))], want) || len(got.data) != 5 || len(got.left) != 0 {
					t.Errorf("published %v at %v, left out %v", got.data, got.slots, got.left)
				}
				l.end()
			})
		})
	}
}
