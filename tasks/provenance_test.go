package tasks_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/chain"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
)

func emits(t testing.TB, typ string) []emission.Entry {
	t.Helper()
	template, err := expression.CompileTemplate(typ, expression.HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	return []emission.Entry{{Type: template}}
}

// A sender's hops and chain are replaced: they neither suppress alerts nor make an emitting handler fail.
func TestASendersHopsDecideNothing(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "one", On: on("a"), Action: saveUser, Emit: emits(t, "b")},
		&tasks.Handler{Name: "two", On: on("b"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
			return nil, tasks.Permanent(errors.New("no"))
		})})
	first := d.emit("x", "first")
	e := &events.Event{Type: "a", ID: "hostile", Source: "/test", Sequence: 4711, Chain: first.Sequence, Hops: events.MaxHops, CorrelationID: "first", CausationID: "first"}
	if _, err := d.emitter.Emit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	runs := d.settled(2)
	if runs[0].State != store.Succeeded || runs[1].State != store.Dead {
		t.Fatalf("runs %+v", runs)
	}
	for i, want := range []struct {
		typ  string
		hops int
	}{{"a", 0}, {"b", 1}, {"evrun.run.dead", 2}} {
		got := d.event(e.Sequence + int64(i))
		if got.Type != want.typ || got.Hops != want.hops || got.Chain != e.Sequence || got.CorrelationID != "first" {
			t.Errorf("event %+v, want %s with %d hops in chain %d", got, want.typ, want.hops, e.Sequence)
		}
	}
}

// Following an event shows its own consequences, not other events with its correlation id.
func TestAStrangersCorrelationJoinsNoChain(t *testing.T) {
	release := make(chan struct{})
	d := start(t, path(t), &tasks.Handler{Name: "good", On: on("good"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
		<-release
		return nil, nil
	})}, &tasks.Handler{Name: "bad", On: on("bad"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
		return nil, tasks.Permanent(errors.New("no"))
	})}, &tasks.Handler{Name: "stuck", On: on("stuck"), Action: outsideFunc(func(ctx context.Context, _ *tasks.Delivery) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})})
	root := d.emit("good", "root")
	for _, typ := range []string{"bad", "stuck"} {
		if _, err := d.emitter.Emit(t.Context(), &events.Event{Type: typ, Source: "/stranger", CorrelationID: "root", CausationID: "root", Hops: 1, Chain: root.Sequence}); err != nil {
			t.Fatal(err)
		}
	}
	d.settled(1) // the bad one
	close(release)
	var saw []string
	chain, err := d.runner.Follow(t.Context(), root, d.commits, func(l chain.Link) error {
		if l.Event != nil {
			saw = append(saw, l.Event.Type)
		}
		return nil
	})
	if err != nil || chain.Dead || len(saw) != 1 {
		t.Errorf("dead %v, %v, saw %q", chain.Dead, err, saw)
	}
}

// event reads one from the journal.
func (d *daemon) event(sequence int64) *events.Event {
	d.t.Helper()
	page, err := d.store.Events(context.Background(), store.EventQuery{After: sequence - 1, Before: sequence + 1})
	if err != nil || len(page) != 1 {
		d.t.Fatalf("event #%d: %v, %v", sequence, page, err)
	}
	return page[0]
}

// An event that a run emits is never silently dropped because another has its id: the run fails with an error.
func TestAnEmittedEventWhoseIDIsTakenIsReported(t *testing.T) {
	for name, action := range map[string]tasks.Action{
		"inside":  saveUser,
		"outside": outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, nil }),
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, path(t), &tasks.Handler{Name: "pay", On: on("a"), Action: action, Emit: emits(t, "b")})
			// As only evrun itself can: the emitter refuses it.
			taken := &events.Event{Type: "x", ID: "2-pay-" + d.store.ID() + ".1", Source: "/evrun/" + d.store.ID() + "/handlers/pay"}
			if _, err := d.store.Append(t.Context(), []*events.Event{taken}); err != nil {
				t.Fatal(err)
			}
			d.emit("a", "one")
			d.emit("a", "two")
			runs := d.settled(2)
			if runs[0].State != store.Dead || !strings.Contains(runs[0].Error, taken.ID) || !strings.Contains(runs[0].Error, "#1") {
				t.Errorf("the run whose event's id is taken: %+v", runs[0])
			}
			if runs[1].State != store.Succeeded {
				t.Errorf("the other run: %+v", runs[1])
			}
			if dead := d.ofType("evrun.run.dead"); len(dead) != 1 || !strings.Contains(string(dead[0].Data), taken.ID) {
				t.Errorf("notices %v", dead)
			}
		})
	}
}
