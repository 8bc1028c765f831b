package storetest

import (
	"fmt"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

func slots(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	mark := store.ScheduleMark{Name: "tick", Since: at, Slot: at.Add(time.Minute), Timing: "every 1m", Paused: true}
	r := must(s.FireSlots(ctx, []store.ScheduleMark{mark}, []*events.Event{event("a.b", "slot")}))(t)
	equal(t, "sequence", r[0].Sequence, 1)
	equal(t, "mark", must(s.ScheduleMarks(ctx))(t)["tick"], mark)
	mark.Slot, mark.Fired, mark.Timing, mark.Paused = at.Add(time.Hour), at.Add(time.Minute), "every 1h", false
	r = must(s.FireSlots(ctx, []store.ScheduleMark{mark}, []*events.Event{event("a.b", "slot")}))(t)
	equal(t, "the same slot again", r[0].Duplicate, true)
	equal(t, "moved", must(s.ScheduleMarks(ctx))(t)["tick"], mark)
	e := event("a.b", "slot")
	equal(t, "by id and source", len(must(s.Events(ctx, store.EventQuery{ID: e.ID, Source: e.Source}))(t)), 1)
	equal(t, "by id and another source", len(must(s.Events(ctx, store.EventQuery{ID: e.ID, Source: "/else"}))(t)), 0)
	other := store.ScheduleMark{Name: "other", Since: at, Slot: at}
	if err := s.SaveMarks(ctx, []store.ScheduleMark{other}, []string{"tick", "nobody"}); err != nil {
		t.Fatal(err)
	}
	equal(t, "saved, and forgotten", fmt.Sprint(must(s.ScheduleMarks(ctx))(t)), fmt.Sprint(map[string]store.ScheduleMark{"other": other}))
}
