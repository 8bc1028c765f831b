package schedule_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/schedule"
	"evrun/tasks/schedule/slots"
	"evrun/tasks/taskstest"
)

// ownSource is the source of the schedule's events: it has the store's id in it.
var ownSource = regexp.MustCompile(`^/evrun/[a-z2-7]{8}/schedules/tick$`)

// publish runs a schedule on the store at path for a while of the bubble's time, and returns all events in the journal.
func publish(t *testing.T, path string, entry *schedule.Entry, during time.Duration) []*events.Event {
	t.Helper()
	return publishLogging(t, path, entry, during, io.Discard)
}

func publishLogging(t *testing.T, path string, entry *schedule.Entry, during time.Duration, log io.Writer) []*events.Event {
	t.Helper()
	s, stop := taskstest.OpenStore(t, path, sqlite.Options{Unwatched: true})
	scheduling, stopScheduling := context.WithCancel(context.Background())
	schedulerDone := make(chan error)
	go func() {
		schedulerDone <- schedule.NewScheduler(schedule.Options{
			Store: s, Emitter: emitter.New(s, 0), Entries: []*schedule.Entry{entry}, Log: slog.New(slog.NewTextHandler(log, nil)),
		}).Run(scheduling)
	}()
	time.Sleep(during)
	stopScheduling()
	if err := <-schedulerDone; err != nil {
		t.Errorf("scheduler: %v", err)
	}
	evs, err := s.Events(context.Background(), store.EventQuery{Limit: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	return evs
}

func everyTenSeconds(t *testing.T, missed schedule.Missed) *schedule.Entry {
	t.Helper()
	timing, err := slots.New("tick", slots.Spec{Every: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	data, faults := expression.CompileValue(map[string]any{"n": "${ slot.number }", "at": "${ slot.unix }"}, expression.ScheduleData)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return &schedule.Entry{Name: "tick", Timing: timing, Missed: missed, Type: "tick", Data: data}
}

func TestEachSlotIsPublishedOnceAndNamedAfterIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		evs := publish(t, path, everyTenSeconds(t, schedule.MissedLast), time.Minute+time.Second)
		if len(evs) != 6 {
			t.Fatalf("%d events", len(evs))
		}
		for i, e := range evs {
			slot := start.Add(time.Duration(i+1) * 10 * time.Second).UTC()
			if !e.Time.Equal(slot) || e.ID != slot.Format(time.RFC3339) || !ownSource.MatchString(e.Source) {
				t.Errorf("slot %d: %s %s %v", i, e.Source, e.ID, e.Time)
			}
		}
		if want := `{"at":946684810,"n":1}`; string(evs[0].Data) != want {
			t.Errorf("data %s, want %s", evs[0].Data, want)
		}
	})
}

func TestSlotsThatPassedMeanwhile(t *testing.T) {
	for _, c := range []struct {
		missed schedule.Missed
		want   int
	}{
		// 3 before, then ten minutes away: of the 60 slots 54 are over a minute old, 6 are still on time, and 3 follow.
		// Where some are left out, one event more says which.
		{schedule.MissedSkip, 3 + 0 + 6 + 3 + 1},
		{schedule.MissedLast, 3 + 1 + 6 + 3 + 1},
		{schedule.MissedAll, 3 + 54 + 6 + 3},
	} {
		t.Run(string(c.missed), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "evrun.db")
			synctest.Test(t, func(t *testing.T) {
				publish(t, path, everyTenSeconds(t, c.missed), 35*time.Second)
				time.Sleep(10 * time.Minute)
				evs := publish(t, path, everyTenSeconds(t, c.missed), 30*time.Second)
				if len(evs) != c.want {
					t.Errorf("%d events, want %d", len(evs), c.want)
				}
				seen := map[string]bool{}
				for _, e := range evs {
					if seen[e.ID] {
						t.Errorf("slot %s came twice", e.ID)
					}
					seen[e.ID] = true
				}
			})
		})
	}
}

// A slot whose event is in the journal although its mark was lost does not fire again, and the log says so.
func TestASlotThatFiredBeforeItsMarkWasLostIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	synctest.Test(t, func(t *testing.T) {
		first := publish(t, path, everyTenSeconds(t, schedule.MissedAll), 25*time.Second)
		s, stop := taskstest.OpenStore(t, path, sqlite.Options{Unwatched: true})
		marks, err := s.ScheduleMarks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		back := marks["tick"]
		back.Slot = back.Since
		if err := s.SaveMarks(t.Context(), []store.ScheduleMark{back}, nil); err != nil {
			t.Fatal(err)
		}
		stop()
		var log bytes.Buffer
		again := publishLogging(t, path, everyTenSeconds(t, schedule.MissedAll), 10*time.Second, &log)
		if len(again) != len(first)+1 {
			t.Errorf("%d events, then %d", len(first), len(again))
		}
		for _, e := range first {
			if !strings.Contains(log.String(), fmt.Sprintf("source=%s id=%s seq=%d", e.Source, e.ID, e.Sequence)) {
				t.Errorf("nothing of %s in the log:\n%s", e.ID, log.String())
			}
		}
	})
}
