package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"evrun/events"
	"evrun/store"
)

// targeted returns an event for one handler alone.
func targeted(id, handler string) *events.Event {
	e := event("a.b", id)
	e.Target, e.ReplayOf = handler, 1
	return e
}

func targets(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	wire(t, s, "save", "tell")
	var evs []*events.Event
	for i := range 100 { // some go in groups
		e := event("a.b", fmt.Sprint(i))
		switch i % 7 {
		case 3:
			e = targeted(e.ID, "save")
		case 5:
			e = targeted(e.ID, "tell")
			e.Extensions = map[string]any{"tenant": "x", "count": int64(7)}
		}
		evs = append(evs, e)
	}
	appendAll(t, s, evs...)
	for i, got := range must(s.Events(ctx, store.EventQuery{}))(t) {
		if fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", *evs[i]) {
			t.Errorf("stored %+v, want %+v", *got, *evs[i])
		}
	}
	for _, name := range []string{"save", "tell"} {
		c := handler(t, s, name)
		var own int64
		for _, e := range evs {
			if c.Takes(e) {
				own++
			}
		}
		equal(t, "waiting for "+name, waiting(t, s, name).Waiting, own)
		equal(t, "waiting runs of "+name, len(must(store.WaitingRuns(ctx, s, c, store.WaitingQuery{}))(t)), int(own))
	}
	equal(t, "for save", waiting(t, s, "save").Waiting, 100-14)
}

func targetsAreActive(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	wire(t, s, "save", "left", "gone")
	wire(t, s, "save")
	if err := s.Forget(ctx, "gone", nil); err != nil {
		t.Fatal(err)
	}
	head := must(s.Head(ctx))(t)
	for _, name := range []string{"left", "gone", "never"} {
		_, err := s.Append(ctx, append(numbered(40), targeted("x", name), event("a.b", "y")))
		if !errors.Is(err, store.ErrNotActive) {
			t.Errorf("for %s: %v", name, err)
		}
	}
	equal(t, "head", must(s.Head(ctx))(t), head)
	appendAll(t, s, targeted("x", "save"))
	equal(t, "known", appendAll(t, s, targeted("x", "save"))[0].Duplicate, true)
}

func targetsOfPredecessors(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	wire(t, s, "first")
	evs := []*events.Event{targeted("1", "first")}
	appendAll(t, s, evs...)
	must(s.Register(ctx, []store.Registration{{Name: "second", On: ab, Was: "first"}}, nil))(t)
	evs = append(evs, targeted("2", "second"))
	appendAll(t, s, evs[1:]...)
	regs := []store.Registration{{Name: "third", On: ab, Was: "second"}, {Name: "other", On: ab, FromStart: true}}
	third := must(s.Register(ctx, regs, nil))(t)[0]
	equal(t, "returned", len(third.Predecessors), 2)
	if _, err := s.Append(ctx, []*events.Event{targeted("late", "second")}); !errors.Is(err, store.ErrNotActive) {
		t.Errorf("for a handler that another one has taken over: %v", err)
	}
	wire(t, s, "third", "other", "first") // a new handler with a name that was used before
	evs = append(evs, targeted("3", "first"), targeted("4", "third"), event("a.b", "5"))
	appendAll(t, s, evs[2:]...)
	for name, want := range map[string]string{"first": "[3 5]", "third": "[1 2 4 5]", "other": "[5]"} {
		c := handler(t, s, name)
		var got []string
		for _, e := range must(s.Events(ctx, store.EventQuery{After: c.LowWater}))(t) {
			if c.Takes(e) {
				got = append(got, e.ID)
			}
		}
		equal(t, name, fmt.Sprint(got), want)
		equal(t, name+": backlog", waiting(t, s, name).Waiting, int64(len(got)))
	}
	equal(t, "stored", slices.Equal(handler(t, s, "third").Predecessors, third.Predecessors), true)
}
