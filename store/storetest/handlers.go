package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

var ab = []events.Pattern{events.MustPattern("a.b")}

// wire registers handlers on a.b.
func wire(t *testing.T, s store.Store, names ...string) []store.Consumer {
	t.Helper()
	regs := make([]store.Registration, len(names))
	for i, name := range names {
		regs[i] = store.Registration{Name: name, On: ab}
	}
	return must(s.Register(ctx, regs, nil))(t)
}

// handler returns the store's record of a handler.
func handler(t *testing.T, s store.Store, name string) store.Consumer {
	t.Helper()
	list := must(s.Handlers(ctx, name))(t)
	i := slices.IndexFunc(list, func(c store.Consumer) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no handler %s in %+v", name, list)
	}
	return list[i]
}

// waiting returns the backlog of a handler.
func waiting(t *testing.T, s store.Store, name string) store.Backlog {
	t.Helper()
	return must(s.Backlog(ctx, handler(t, s, name), 0))(t)
}

func numbered(n int) []*events.Event {
	evs := make([]*events.Event, n)
	for i := range evs {
		evs[i] = event("a.b", fmt.Sprint(i+1))
	}
	return evs
}

func returning(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	first := wire(t, s, "h", "other")
	evs := numbered(3)
	appendAll(t, s, evs[0])
	wire(t, s, "other")
	left := handler(t, s, "h")
	equal(t, "state", left.State, store.Left)
	equal(t, "left", left.Left, at)
	equal(t, "the head then", left.LeftHead, 1)
	equal(t, "on", fmt.Sprint(left.On), "[a.b]")
	appendAll(t, s, evs[1:]...)
	equal(t, "waiting", waiting(t, s, "h").Waiting, 3)
	clock.Pass(store.ReturnWithin)
	back := wire(t, s, "h", "other")
	equal(t, "id", back[0].ID, first[0].ID)
	equal(t, "mark", back[0].LowWater, 0)
	equal(t, "paused", back[0].Paused, false)
	equal(t, "the other's mark", back[1].LowWater, 0)
	equal(t, "state", handler(t, s, "h").State, store.Active)
	must(s.Register(ctx, []store.Registration{{Name: "h", On: []events.Pattern{events.MustPattern("c.d")}}, {Name: "other", On: ab}}, nil))(t)
	equal(t, "on another type", fmt.Sprint(handler(t, s, "h").On), "[c.d]")
}

func returningLate(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	wire(t, s, "h")
	appendAll(t, s, numbered(2)...)
	wire(t, s)
	clock.Pass(store.ReturnWithin + time.Second)
	back := wire(t, s, "h")[0]
	equal(t, "paused", back.Paused, true)
	equal(t, "mark", back.LowWater, 0)
	wire(t, s)
	equal(t, "paused when it goes and comes at once", wire(t, s, "h")[0].Paused, true)
	equal(t, "resumed", must(s.Resume(ctx, "h", 0, nil))(t), true)
	equal(t, "resumed again", must(s.Resume(ctx, "h", 0, nil))(t), false)
	back = wire(t, s, "h")[0]
	equal(t, "paused afterwards", back.Paused, false)
	equal(t, "mark afterwards", back.LowWater, 0)
	if _, err := s.Resume(ctx, "none", 0, nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("resume of an unknown handler: %v", err)
	}
}

func returningLateUnpaused(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	wire(t, s, "idle", "marked", "behind", "retries")
	idle, retries := handler(t, s, "idle"), handler(t, s, "retries")
	e := event("a.b", "1")
	appendAll(t, s, e)
	settle(t, s, outside(e, idle.ID, 1, store.Succeeded), outside(e, retries.ID, 1, store.Retrying))
	wire(t, s)
	clock.Pass(30 * 24 * time.Hour)
	back := must(s.Register(ctx, []store.Registration{
		{Name: "idle", On: ab}, {Name: "marked", On: ab, FromMark: true}, {Name: "behind", On: ab}, {Name: "retries", On: ab},
	}, nil))(t)
	equal(t, "nothing to do", back[0].Paused, false)
	equal(t, "from mark", back[1].Paused, false)
	equal(t, "from mark: mark", back[1].LowWater, 0)
	equal(t, "an event waits", back[2].Paused, true)
	equal(t, "a run retries", back[3].Paused, true)
	back = must(s.Register(ctx, []store.Registration{{Name: "behind", On: ab, FromMark: true}}, nil))(t)
	equal(t, "from mark afterwards", back[0].Paused, false)
}

func resumption(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	h := wire(t, s, "h")[0]
	evs := numbered(4)
	appendAll(t, s, evs[:3]...)
	settle(t, s, outside(evs[0], h.ID, 1, store.Dead), outside(evs[1], h.ID, 1, store.Retrying))
	equal(t, "not paused", must(s.Resume(ctx, "h", 3, []*events.Event{event("b.c", "none")}))(t), false)
	wire(t, s)
	clock.Pass(2 * store.ReturnWithin)
	wire(t, s, "h")
	b := waiting(t, s, "h")
	equal(t, "waiting", b.Waiting, 1)
	equal(t, "retrying", b.Retrying, 1)
	appendAll(t, s, evs[3])
	equal(t, "resumed", must(s.Resume(ctx, "h", 3, []*events.Event{event("b.c", "told")}))(t), true)
	equal(t, "mark", wire(t, s, "h")[0].LowWater, 3)
	b = waiting(t, s, "h")
	equal(t, "waiting afterwards", b.Waiting, 1)
	equal(t, "runs afterwards", b.Counts, store.Counts{Dead: 1})
	must(s.Event(ctx, "told"))(t)
	if _, err := s.Event(ctx, "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an event of a resumption that did nothing: %v", err)
	}
}

func forgetting(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := wire(t, s, "h", "other")[0]
	evs := numbered(3)
	appendAll(t, s, evs...)
	settle(t, s, outside(evs[0], h.ID, 1, store.Succeeded), outside(evs[1], h.ID, 1, store.Retrying), outside(evs[2], h.ID, 1, store.Dead))
	if err := s.Forget(ctx, "h", nil); !errors.Is(err, store.ErrActive) {
		t.Errorf("forget an active handler: %v", err)
	}
	wire(t, s, "other")
	if err := s.Forget(ctx, "h", []*events.Event{event("b.c", "told")}); err != nil {
		t.Fatal(err)
	}
	must(s.Event(ctx, "told"))(t)
	equal(t, "state", handler(t, s, "h").State, store.Forgotten)
	equal(t, "runs", waiting(t, s, "h").Counts, store.Counts{})
	equal(t, "a settled run", must(s.FindRun(ctx, store.RunID(1, "h", s.ID())))(t).State, store.Succeeded)
	for _, name := range []string{"h", "none"} {
		if err := s.Forget(ctx, name, nil); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("forget %s: %v", name, err)
		}
	}
	back := wire(t, s, "h", "other")[0]
	equal(t, "mark", back.LowWater, 4)
	equal(t, "id", back.ID, h.ID)
}

func heldRuns(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	h := wire(t, s, "h")[0]
	evs := numbered(3)
	appendAll(t, s, evs...)
	must(s.Start(ctx, []store.Claim{{Handler: h.ID, Sequence: 1, Attempt: 1, At: at}}))(t)
	settle(t, s, outside(evs[1], h.ID, 1, store.Retrying), outside(evs[2], h.ID, 1, store.Dead))
	reasons := func() string {
		var list []string
		for _, r := range runs(t, s, store.RunQuery{Oldest: true}) {
			list = append(list, r.State.String()+": "+r.Reason)
		}
		return fmt.Sprintf("%q", list)
	}
	equal(t, "active", reasons(), `["running: " "retrying: " "dead: "]`)
	wire(t, s)
	equal(t, "left", reasons(), `["running: waits for its handler, which is not in the wiring file" "retrying: waits for its handler, which is not in the wiring file" "dead: "]`)
	clock.Pass(2 * store.ReturnWithin)
	wire(t, s, "h")
	equal(t, "paused", reasons(), `["running: waits for its handler, which is paused" "retrying: waits for its handler, which is paused" "dead: "]`)
	must(s.Resume(ctx, "h", 0, nil))(t)
	equal(t, "resumed", reasons(), `["running: " "retrying: " "dead: "]`)
}

func backlog(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	regs := []store.Registration{{Name: "h", On: []events.Pattern{events.MustPattern("a.*"), events.MustPattern("x")}}}
	h := must(s.Register(ctx, regs, nil))(t)[0]
	evs := []*events.Event{event("a.b", "1"), event("a.b.c", "2"), event("x", "3"), event("y", "4"), event("a.c", "5"), event("a.b", "6")}
	appendAll(t, s, evs...)
	settle(t, s, outside(evs[4], h.ID, 1, store.Dead))
	known := handler(t, s, "h")
	equal(t, "patterns", fmt.Sprint(known.On), "[a.* x]")
	equal(t, "all", must(s.Backlog(ctx, known, 0))(t), store.Backlog{Waiting: 3, Counts: store.Counts{Dead: 1}})
	equal(t, "some", must(s.Backlog(ctx, known, 3))(t).Waiting, 2)
	n, atMost, err := s.CountWaiting(ctx, known, 3)
	equal(t, "some, without their runs", fmt.Sprint(n, atMost, err), "2 false <nil>")
	known.On = nil
	b := must(s.Backlog(ctx, known, 0))(t)
	equal(t, "of unknown types", b.Waiting, 5)
	equal(t, "at most", b.AtMost, true)
	must(s.Settle(ctx, store.SettleBatch{Marks: []store.Mark{{Handler: h.ID, LowWater: 6}}}))(t)
	b = waiting(t, s, "h")
	equal(t, "none", b.Waiting, 0)
	equal(t, "empty", b.Empty(), true)
}

func unattended(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{Unattended: true})
	evs := numbered(4)
	appendAll(t, s, evs[0])
	appendAll(t, s, evs[1])
	equal(t, "the first handler", wire(t, s, "h")[0].LowWater, 0)
	equal(t, "one that came later", wire(t, s, "h", "later")[1].LowWater, 2)
	appendAll(t, s, evs[2])
	got := wire(t, s, "h", "later", "new")
	equal(t, "a known one", got[1].LowWater, 2)
	equal(t, "a new one", got[2].LowWater, 2)
	equal(t, "and nobody else", wire(t, s, "last")[0].LowWater, 3)
}

func registration(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	appendAll(t, s, event("a.b", "1"), event("a.b", "2"))
	got := must(s.Register(ctx, []store.Registration{{Name: "new"}, {Name: "all", FromStart: true}}, nil))(t)
	equal(t, "new", got[0].LowWater, 2)
	equal(t, "from start", got[1].LowWater, 0)
	if got[0].ID == got[1].ID || got[0].Name != "new" || got[1].Name != "all" {
		t.Errorf("consumers: %+v", got)
	}
	appendAll(t, s, event("a.b", "3"))
	again := must(s.Register(ctx, []store.Registration{{Name: "all", FromStart: true}, {Name: "new"}}, nil))(t)
	equal(t, "known: id", again[1].ID, got[0].ID)
	equal(t, "known: mark", again[1].LowWater, 2)
}

func marks(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0]
	for _, m := range []int64{5, 3} {
		must(s.Settle(ctx, store.SettleBatch{Marks: []store.Mark{{Handler: h.ID, LowWater: m}}}))(t)
	}
	equal(t, "mark", register(t, s, "h")[0].LowWater, 5)
}
