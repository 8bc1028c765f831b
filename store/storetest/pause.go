package storetest

import (
	"errors"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

func pause(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	register(t, s, "h", "other")
	p := store.Pause{By: "ada", Why: "no mail"}
	head := must(s.Head(ctx))(t)
	equal(t, "paused", must(s.Pause(ctx, "h", p, []*events.Event{event("audit", "1")}))(t), true)
	equal(t, "paused again", must(s.Pause(ctx, "h", store.Pause{By: "bob"}, []*events.Event{event("audit", "2")}))(t), false)
	equal(t, "events", must(s.Head(ctx))(t), head+1)
	is := func(c store.Consumer) {
		t.Helper()
		equal(t, "paused", c.Paused, true)
		equal(t, "by", c.Pause.By, "ada")
		equal(t, "why", c.Pause.Why, "no mail")
		equal(t, "at", c.Pause.At.IsZero(), false)
	}
	is(must(s.Handlers(ctx, "h"))(t)[0])
	equal(t, "the other", must(s.Handlers(ctx, "other"))(t)[0].Paused, false)
	for _, r := range []store.Registration{{Name: "h"}, {Name: "h", FromMark: true}} { // a restart, and a return
		is(must(s.Register(ctx, []store.Registration{r}, nil))(t)[0])
		must(s.Register(ctx, []store.Registration{}, nil))(t)
		is(must(s.Register(ctx, []store.Registration{r}, nil))(t)[0])
	}
	heir := must(s.Register(ctx, []store.Registration{{Name: "heir", Was: "h"}}, nil))(t)[0]
	equal(t, "taken over", heir.Took, true)
	is(heir)
	equal(t, "resumed", must(s.Resume(ctx, "heir", 0, nil))(t), true)
	c := must(s.Handlers(ctx, "heir"))(t)[0]
	equal(t, "paused", c.Paused, false)
	equal(t, "pause", c.Pause, store.Pause{})
	for _, name := range []string{"nobody", "h"} {
		if _, err := s.Pause(ctx, name, p, nil); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("pause %s: %v", name, err)
		}
	}
}

func disable(t *testing.T, d Driver) {
	clock := newClock()
	s := d.Open(t, store.Options{Now: clock.Now})
	off := []store.Registration{{Name: "h", Disabled: true, On: []events.Pattern{events.MustPattern(">")}}}
	at := must(s.Register(ctx, off, nil))(t)[0].Disabled
	equal(t, "disabled", at.IsZero(), false)
	clock.Pass(time.Minute)
	equal(t, "since the first time", must(s.Register(ctx, off, nil))(t)[0].Disabled, at)
	e := event("a.b", "1")
	appendAll(t, s, e)
	waiting := must(store.WaitingRuns(ctx, s, must(s.Handlers(ctx, "h"))(t)[0], store.WaitingQuery{}))(t)
	equal(t, "waiting", len(waiting), 1)
	equal(t, "reason", waiting[0].Reason, "waits for its handler, which is disabled in the wiring file")
	settle(t, s, outside(e, 1, 1, store.Retrying))
	equal(t, "reason of a run", runs(t, s, store.RunQuery{})[0].Reason, "waits for its handler, which is disabled in the wiring file")
	off[0].Disabled = false
	equal(t, "enabled", must(s.Register(ctx, off, nil))(t)[0].Disabled.IsZero(), true)
	equal(t, "reason of its run", runs(t, s, store.RunQuery{})[0].Reason, "")
}
