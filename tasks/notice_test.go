package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/chain"
	"evrun/tasks/emission"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
)

func failsWith(text string) tasks.Action {
	return outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, tasks.Permanent(errors.New(text)) })
}

// Notice data that is too large for an event is shortened, and the notice is published.
func TestNoticesAreShortenedToFit(t *testing.T) {
	const most = 1024
	d := startTuned(t, path(t), sqlite.Options{}, func(o *tasks.Options, s store.Store) { o.Emitter = emitter.New(s, most) },
		&tasks.Handler{Name: "known", On: on("large.>"), Action: failsWith("no luck: " + strings.Repeat("<é\n", 10_000)), OnDead: onDeadEntry(t, "known.lost", nil)},
		&tasks.Handler{Name: "told", On: on("large.>"), Action: failsWith("no luck"),
			OnDead: onDeadEntry(t, "told.lost", map[string]any{"again": "${ data }", "more": "${ data }", "error": "${ error }"})})
	for typ, e := range map[string]*events.Event{
		"large.data": {Data: []byte(`"` + strings.Repeat("x", most-2) + `"`)},
		"large.attributes": {Data: []byte(`"` + strings.Repeat("x", most-2) + `"`), Subject: strings.Repeat("s", events.MaxSubjectLen),
			Extensions: map[string]any{"x": strings.Repeat("x", 1000)}},
	} {
		e.Type, e.Source = typ, "/test"
		if _, err := d.emitter.Emit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	d.settled(4)
	for typ, shortened := range map[string][]string{"evrun.run.dead": {"error"}, "known.lost": {"error", "event"}, "told.lost": {"event"}} {
		got := d.ofType(typ)
		if want := 2; typ == "evrun.run.dead" && len(got) != 4 || typ != "evrun.run.dead" && len(got) != want {
			t.Errorf("%s came %d times", typ, len(got))
		}
		for _, e := range got {
			var data struct {
				Handler, Error string
				Event          json.RawMessage
				Shortened      []string
			}
			if err := json.Unmarshal(e.Data, &data); err != nil {
				t.Fatal(err)
			}
			if len(e.Data) > most || !strings.HasPrefix(data.Error, "no luck") {
				t.Errorf("%s: %d bytes: %s", typ, len(e.Data), e.Data)
			}
			if data.Handler == "told" && typ == "evrun.run.dead" {
				continue // it fits
			}
			slices.Sort(data.Shortened)
			if !slices.Equal(data.Shortened, shortened) {
				t.Errorf("%s of %s: shortened %q, want %q: %s", typ, data.Handler, data.Shortened, shortened, e.Data)
			}
			if event := string(data.Event); typ != "evrun.run.dead" && (!strings.Contains(event, `"type":"large.`) || !strings.Contains(event, `"seq":"`) || strings.Contains(event, `"data"`)) {
				t.Errorf("%s: event %s", typ, event)
			}
		}
	}
}

// A dead run on the last event of the longest chain is reported like any other.
func TestNoticesComeAtTheEndOfAChain(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "loop", On: on("a"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, nil }),
		Emit: emits(t, "a"), OnDead: onDeadEntry(t, "loop.cut", nil)},
		&tasks.Handler{Name: "alert", On: on("evrun.run.dead"), Action: saveUser},
		&tasks.Handler{Name: "told", On: on("loop.cut"), Action: saveUser})
	d.emit("a", "1")
	runs := d.settled(events.MaxHops + 1 + 2)
	states := map[string]store.RunState{}
	for _, r := range runs {
		states[r.Handler] = r.State
	}
	if states["loop"] != store.Dead || states["alert"] != store.Succeeded || states["told"] != store.Succeeded {
		t.Errorf("the last runs: %v", states)
	}
}

// A failed alert is reported, so that a fallback can be wired to it. A failed fallback is not.
func TestAFailedAlertIsAnnouncedOnce(t *testing.T) {
	when, err := expression.Compile(`data.handler == "alert"`, expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	var quiet atomic.Int64
	d := startTuned(t, path(t), sqlite.Options{}, func(o *tasks.Options, _ store.Store) { o.Unannounced = func() { quiet.Add(1) } },
		&tasks.Handler{Name: "work", On: on("a"), Action: failsWith("no")},
		&tasks.Handler{Name: "alert", On: on("evrun.run.dead"), Action: failsWith("no network")},
		&tasks.Handler{Name: "fallback", On: on("evrun.run.dead"), When: when, Action: saveUser})
	d.emit("a", "1")
	runs := d.settled(5) // work; alert and fallback on its notice; alert and fallback on alert's
	var fallback []store.RunState
	for _, r := range runs {
		if r.Handler == "fallback" {
			fallback = append(fallback, r.State)
		}
	}
	slices.Sort(fallback)
	if !slices.Equal(fallback, []store.RunState{store.Succeeded, store.Skipped}) {
		t.Errorf("fallback: %v", fallback)
	}
	notices := d.ofType("evrun.run.dead")
	if len(notices) != 2 || !strings.Contains(string(notices[0].Data), `"level":1`) || !strings.Contains(string(notices[1].Data), `"level":2`) {
		t.Fatalf("%d notices: %v", len(notices), notices)
	}
	if notices[1].Chain != 1 || notices[1].Hops != 2 || notices[1].Source != "/evrun/"+d.store.ID() {
		t.Errorf("the second: %+v", notices[1])
	}
	d.stop()
	if quiet.Load() != 1 {
		t.Errorf("%d unannounced", quiet.Load())
	}
}

// A handler of all events that always fails causes only notices and notices of these notices.
func TestAHandlerOfEverythingThatFailsComesToAnEnd(t *testing.T) {
	for name, c := range map[string]struct {
		onDead          *emission.Entry
		notices, unsaid int
	}{
		"alone":        {nil, 2, 1},                             // a; 1; 2
		"with on_dead": {onDeadEntry(t, "all.lost", nil), 6, 4}, // a; 1 1; 2 2 2 2
		"of its own":   {onDeadEntry(t, "a", "${ error }"), 6, 4},
	} {
		t.Run(name, func(t *testing.T) {
			var unsaid atomic.Int64
			d := startTuned(t, path(t), sqlite.Options{}, func(o *tasks.Options, _ store.Store) { o.Unannounced = func() { unsaid.Add(1) } },
				&tasks.Handler{Name: "all", On: on(">"), Action: failsWith("no"), OnDead: c.onDead})
			d.dies(d.emit("a", "1"))
			head, err := d.store.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			d.stop()
			if int(head) != 1+c.notices || int(unsaid.Load()) != c.unsaid {
				t.Errorf("%d notices, %d dead runs in the log alone; want %d and %d", head-1, unsaid.Load(), c.notices, c.unsaid)
			}
		})
	}
}

// A sender's "level" is an extension like any other, and never suppresses a notice.
func TestASendersLevelDecidesNothing(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "work", On: on("a"), Action: failsWith("no"), OnDead: onDeadEntry(t, "lost", nil)})
	e := &events.Event{Type: "a", Source: "/evrun/aaaaaaaa/handlers/work", Extensions: map[string]any{"level": int64(2)}}
	if _, err := d.emitter.Emit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	d.dies(e)
	if dead, lost := d.ofType("evrun.run.dead"), d.ofType("lost"); len(dead) != 1 || len(lost) != 1 || lost[0].Extensions["level"] != int64(1) {
		t.Errorf("%v, %v", dead, lost)
	}
}

// dies waits until everything that e causes has ended, and checks that a run is dead.
func (d *daemon) dies(e *events.Event) {
	d.t.Helper()
	chain, err := d.runner.Follow(d.t.Context(), e, d.commits, func(chain.Link) error { return nil })
	if err != nil || !chain.Dead {
		d.t.Fatalf("dead %v, %v", chain.Dead, err)
	}
}
