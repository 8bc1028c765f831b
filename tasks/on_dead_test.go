package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// onDeadEntry compiles an on_dead.
func onDeadEntry(t *testing.T, typ string, data any) *emission.Entry {
	t.Helper()
	em := &emission.Entry{}
	var err error
	if em.Type, err = expression.CompileTemplate(typ, expression.HandlerOnDead); err != nil {
		t.Fatal(err)
	}
	if data != nil {
		var faults []*fault.Fault
		if em.Data, faults = expression.CompileValue(data, expression.HandlerOnDead); len(faults) > 0 {
			t.Fatal(faults)
		}
	}
	return em
}

// ofType returns the accepted events of a type, in order.
func (d *daemon) ofType(typ string) []*events.Event {
	d.t.Helper()
	page, err := d.store.Events(context.Background(), store.EventQuery{Patterns: on(typ)})
	if err != nil {
		d.t.Fatal(err)
	}
	return page
}

var failing = outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
	return nil, fmt.Errorf("attempt %d went wrong", d.Attempt)
})

func TestOnDeadComesOnceAfterTheLastAttempt(t *testing.T) {
	for name, action := range map[string]tasks.Action{"outside": failing, "inside": insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
		return tasks.Effect{User: &store.User{Name: "x", Email: d.RunID + "@example.com"}, Stored: func(store.User, error) (any, error) {
			return nil, fmt.Errorf("attempt %d went wrong", d.Attempt)
		}}, nil
	})} {
		t.Run(name, func(t *testing.T) {
			d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Kind: "sql", Action: action, OnDead: onDeadEntry(t, "h.gave-up", nil)})
			const n = 50
			for i := range n {
				d.emit("a", fmt.Sprint(i))
			}
			runs := d.settled(n)
			got := d.ofType("h.gave-up")
			if len(got) != n || len(d.ofType("evrun.run.dead")) != n {
				t.Fatalf("%d of on_dead and %d of evrun's own for %d dead runs", len(got), len(d.ofType("evrun.run.dead")), n)
			}
			for i, e := range got {
				var data struct {
					Handler, Error string
					RunID          string `json:"run_id"`
					Attempts       int
					Event          struct {
						ID, Type string
						Data     json.RawMessage
					}
				}
				if err := json.Unmarshal(e.Data, &data); err != nil {
					t.Fatal(err)
				}
				j := slices.IndexFunc(runs, func(r store.Run) bool { return r.ID == data.RunID })
				if j < 0 || data.Handler != "h" || data.Error != "attempt 3 went wrong" || data.Attempts != 3 || data.Event.ID != runs[j].EventID ||
					data.Event.Type != "a" || !strings.Contains(string(data.Event.Data), `"key"`) || e.CausationID != data.Event.ID || e.Hops != 1 || e.Source != "/evrun/"+d.store.ID()+"/handlers/h" {
					t.Errorf("event %d: %s %s", i, e.ID, e.Data)
				}
			}
			if n := users(t, d); n != 0 {
				t.Errorf("%d users of dead runs", n)
			}
		})
	}
}

func TestOnDeadSaysWhatItIsTold(t *testing.T) {
	em := onDeadEntry(t, "gave-up.${ handler }", map[string]any{"text": "${ data.id }: ${ error } (${ attempts })", "run": "${ run_id }"})
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: failing, OnDead: em})
	d.emit("a", "one")
	r := d.settled(1)[0]
	got := d.ofType("gave-up.h")
	if len(got) != 1 || string(got[0].Data) != fmt.Sprintf(`{"run":%q,"text":"one: attempt 3 went wrong (3)"}`, r.ID) {
		t.Errorf("%d events: %+v", len(got), got)
	}
}

// If the event of on_dead can't be made, the run is dead all the same, and its error says so.
func TestOnDeadThatCannotBeMadeIsPartOfTheError(t *testing.T) {
	for name, em := range map[string]*emission.Entry{
		"type: data.none is nil": onDeadEntry(t, "x.${ data.none }", nil),
		"is evrun's own":         onDeadEntry(t, "evrun.${ data.id }", nil),
	} {
		d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: failing, OnDead: em})
		d.emit("a", "1")
		if r := d.settled(1)[0]; r.State != store.Dead || !strings.Contains(r.Error, "attempt 3 went wrong\non_dead: ") || !strings.Contains(r.Error, name) {
			t.Errorf("%s: %+v", name, r)
		}
		if n := len(d.ofType("evrun.run.dead")); n != 1 {
			t.Errorf("%s: evrun.run.dead came %d times", name, n)
		}
	}
}

func TestOnDeadThatCausesItselfIsCutOff(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: failing, OnDead: onDeadEntry(t, "a", nil), Retry: tasks.Retry{Attempts: 1}})
	d.dies(d.emit("a", "1"))
	if a, dead := len(d.ofType("a")), len(d.ofType("evrun.run.dead")); a != 3 || dead != 2 {
		t.Errorf("%d events, %d reported", a, dead)
	}
}

// picky is a store that refuses the settlements of some runs.
type picky struct {
	store.Store
	refuses func(store.Settlement) bool
}

func (p picky) Settle(ctx context.Context, b store.SettleBatch) ([]store.Settled, error) {
	if slices.ContainsFunc(b.Settlements, p.refuses) {
		return nil, errors.New("not this one")
	}
	return p.Store.Settle(ctx, b)
}

// A run whose result can't be stored is dead like others. If the event of on_dead can't be stored either, the run is dead without it.
func TestARunWhoseResultCannotBeStoredIsDead(t *testing.T) {
	d := startOn(t, path(t), sqlite.Options{}, func(s store.Store) store.Store {
		return picky{s, func(s store.Settlement) bool {
			switch s.Event.ID {
			case "result":
				return s.Outcome.State == store.Succeeded
			case "all":
				return s.Outcome.State == store.Succeeded || len(s.Outcome.Emit) > 0
			}
			return false
		}}
	}, &tasks.Handler{Name: "h", On: on("a"), OnDead: onDeadEntry(t, "h.gave-up", nil),
		Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, nil })})
	for _, id := range []string{"fine", "result", "all"} {
		d.emit("a", id)
	}
	runs := d.settled(3)
	for i, want := range []store.RunState{store.Succeeded, store.Dead, store.Dead} {
		if runs[i].State != want || want == store.Dead && !strings.Contains(runs[i].Error, "can't be stored: not this one") {
			t.Errorf("run %+v", runs[i])
		}
	}
	if gaveUp := d.ofType("h.gave-up"); len(gaveUp) != 1 || gaveUp[0].CausationID != "result" || len(d.ofType("evrun.run.dead")) != 1 {
		t.Errorf("%d events of on_dead", len(gaveUp))
	}
}

// A stop that exceeds its grace period ends an attempt that might have succeeded, so that attempt doesn't count.
func TestAttemptsThatAStopEndsDoNotCount(t *testing.T) {
	p := path(t)
	var begun, stopping atomic.Int64
	handler := func() *tasks.Handler {
		return &tasks.Handler{Name: "h", On: on("a"), Retry: tasks.Retry{Attempts: 2, Backoff: time.Millisecond, Max: time.Millisecond},
			Action: outsideFunc(func(ctx context.Context, _ *tasks.Delivery) (any, error) {
				begun.Add(1)
				if stopping.Load() > 0 {
					<-ctx.Done()
					return nil, errors.New("signal: terminated") // the error of a command that was stopped
				}
				return nil, errors.New("no")
			})}
	}
	stopping.Store(1)
	for round := range 3 {
		d := start(t, p, handler())
		if round == 0 {
			d.emit("a", "1")
		}
		for int(begun.Load()) <= round {
			wait(time.Millisecond)
		}
		d.stop()
	}
	stopping.Store(0)
	d := start(t, p, handler())
	r := d.settled(1)[0]
	if r.State != store.Dead || r.Attempt != 5 || r.Budget != 3 || r.Error != "no" {
		t.Errorf("run %+v", r)
	}
	if history, err := d.store.Attempts(t.Context(), store.AttemptQuery{Run: r.ID}); err != nil || len(history) != 5 || history[0].Error != "signal: terminated" {
		t.Errorf("history %+v, %v", history, err)
	}
}
