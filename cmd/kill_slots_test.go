package cmd_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
)

// A daemon with schedules that are due several times a second is killed at random. Each slot from the first to the last is
// there exactly once, on time or made up for; so are the runs of a handler on them, and the user that a schedule with do stores for each of its slots.
//
// EVRUN_SLOT_KILLS is how many kills; 5, and 40 in .ci/run.
func killedDaemonPublishesEachSlotOnce(t *testing.T) {
	proof(t)
	t.Parallel()
	kills := storetest.Size(t, "EVRUN_SLOT_KILLS", 5, 40)
	const handlers = `
log: {level: error}
handlers:
  - {name: note, on: "slot.>", do: log, with: {message: "${ event.id }"}}
`
	const inserts = `do: user.insert, with: {name: Slot, email: "slot-${ strftime(event.time, '%s') }@example.com"}}`
	dir := wired(t, handlers+`
schedules:
  - {name: fast, every: 100ms, missed: all, max_missed: 100000, emit: slot.fast}
  - {name: third, every: 300ms, missed: all, max_missed: 100000, jitter: 200ms, emit: slot.third}
  - {name: second, cron: "* * * * * *", missed: all, max_missed: 100000, `+inserts+`
`)
	for range kills {
		d := serve(t, dir, nil)
		d.ready(t)
		pauseFor(t.Context(), rand.N(150*time.Millisecond))
		d.kill(t)
	}
	d := serve(t, dir, nil)
	d.ready(t)
	eventuallyTrue(t, "each schedule has had slots", func() (bool, string) {
		types := map[string]int{}
		for _, e := range journal(t, dir) {
			types[e.Type]++
		}
		return min(types["slot.fast"], types["slot.third"], types["schedule.second"]) > 2, fmt.Sprint(types)
	})
	d.stop(t)
	// No further slots, and a run for each published one. What had a schedule with do is a handler by itself now.
	wireAt(t, dir, handlers+"  - {name: second, on: schedule.second, "+inserts+"\n")
	d = serve(t, dir, nil)
	d.ready(t)
	all := journal(t, dir)
	l := openLedger(t, dir)
	within(t, patience, "each slot has its run", func() (bool, string) {
		n := l.number(t, `SELECT count(*) FROM runs WHERE state = 3`)
		return n == int64(len(all)), fmt.Sprintf("%d runs on %d slots", n, len(all))
	})
	if users, slots := l.number(t, `SELECT count(*) FROM users`), l.number(t, `SELECT count(*) FROM events WHERE type = 'schedule.second'`); users != slots || slots == 0 {
		t.Errorf("%d users of %d slots", users, slots)
	}
	d.stop(t)

	slots := map[string][]time.Time{}
	for _, e := range all {
		slots[e.Type] = append(slots[e.Type], e.Time)
	}
	total := 0
	for typ, every := range map[string]time.Duration{"slot.fast": 100 * time.Millisecond, "slot.third": 300 * time.Millisecond, "schedule.second": time.Second} {
		list := slots[typ]
		total += len(list)
		if len(list) < kills/20 {
			t.Errorf("%s: only %d slots", typ, len(list))
		}
		for i := 1; i < len(list); i++ {
			if got := list[i].Sub(list[i-1]); got != every {
				t.Errorf("%s: %v is followed by %v: %v later, want %v", typ, list[i-1], list[i], got, every)
			}
		}
	}
	if len(slots) != 3 {
		t.Errorf("other events: %d types", len(slots))
	}
	t.Logf("%d kills, %d slots", kills, total)
}

// journal reads all events in the store at dir.
func journal(t *testing.T, dir string) (all []*events.Event) {
	t.Helper()
	s, err := sqlite.OpenReader(dir + "/evrun.db")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for after := int64(0); ; {
		page, err := s.Events(t.Context(), store.EventQuery{After: after, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		after = page[len(page)-1].Sequence
	}
}
