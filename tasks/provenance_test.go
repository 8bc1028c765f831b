package tasks_test

import (
	"context"
	"errors"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/expression"
)

func emits(t testing.TB, typ string) []tasks.Emission {
	t.Helper()
	template, err := expression.CompileTemplate(typ, expression.HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	return []tasks.Emission{{Type: template}}
}

// What a sender writes of hops and chain is replaced: it neither silences alerts nor kills a handler that emits.
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

// Whoever follows an event sees what that one causes, not what others hang onto its correlation id.
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
	chain, err := d.runner.Follow(t.Context(), root, d.commits, func(l tasks.Link) error {
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
