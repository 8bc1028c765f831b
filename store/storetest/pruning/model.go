// Package pruning checks what a store prunes against a naive model, which looks at everything each time.
package pruning

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest/steps"
)

var ctx = context.Background()

// world is a store with random chains, runs and marks, and what a naive model says about its pruning.
type world struct {
	t        *testing.T
	r        *rand.Rand
	s        store.Store
	clock    *steps.Clock
	accepted map[int64]time.Time
	n        int
}

// Check prunes so many random stores, and compares what is left with the model.
func Check(t *testing.T, worlds int, open func(*testing.T, store.Options) store.Store) {
	for seed := range int64(worlds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := &world{t: t, r: rand.New(rand.NewSource(seed)), clock: steps.NewClock(), accepted: map[int64]time.Time{}}
			w.s = open(t, store.Options{Now: w.clock.Now})
			w.rewire()
			for range 12 {
				w.live()
				w.prune()
			}
		})
	}
}

// rewire wires some of the handlers.
func (w *world) rewire() {
	var regs []store.Registration
	for i, name := range []string{"a", "b", "c"} {
		if w.r.Intn(3) > 0 {
			on := []events.Pattern{events.MustPattern([]string{"a.b", "b.*", ">"}[i])}
			regs = append(regs, store.Registration{Name: name, On: on, FromMark: true, FromStart: w.r.Intn(4) == 0, Disabled: w.r.Intn(6) == 0})
		}
	}
	steps.Must(w.s.Register(ctx, regs, nil))(w.t)
}

// live lets time pass, events come, and handlers handle some of them.
func (w *world) live() {
	all := steps.Must(store.AllEvents(ctx, w.s, store.EventQuery{}))(w.t)
	for range w.r.Intn(6) {
		group := make([]*events.Event, 1+w.r.Intn(20))
		for i := range group {
			w.n++
			e := steps.Event([]string{"a.b", "b.c", "x.y"}[w.r.Intn(3)], fmt.Sprint(w.n))
			if len(all) > 0 && w.r.Intn(3) > 0 {
				by := all[len(all)-1-w.r.Intn(min(len(all), 20))]
				e.Chain, e.Cause = by.Chain, by.Sequence
			}
			group[i] = e
		}
		w.clock.Pass(time.Duration(w.r.Intn(600)) * time.Second)
		steps.Must(w.s.Append(ctx, group))(w.t)
		for _, e := range group {
			w.accepted[e.Sequence] = w.clock.Now()
		}
		all = append(all, group...)
	}
	for _, h := range steps.Must(w.s.Handlers(ctx))(w.t) {
		if h.State == store.Active {
			w.handle(h, all)
		}
	}
	if w.r.Intn(4) == 0 {
		w.rewire()
	}
	if w.r.Intn(4) == 0 {
		w.clock.Pass(2 * time.Hour)
	}
	if w.r.Intn(2) == 0 {
		steps.Must(w.s.Drop(ctx, store.Change{Query: store.RunQuery{States: []store.RunState{store.Dead}, Limit: w.r.Intn(5) + 1, Oldest: true}}))(w.t)
	}
	if w.r.Intn(2) == 0 {
		steps.Must(w.s.Retry(ctx, store.Change{Query: store.RunQuery{States: []store.RunState{store.Dead, store.Cancelled}, Limit: w.r.Intn(5) + 1}}))(w.t)
	}
}

// handle settles some of a handler's events, and moves its mark sometimes.
func (w *world) handle(h store.Consumer, all []*events.Event) {
	upTo, failing := h.LowWater, w.r.Intn(4) == 0
	var list []store.Settlement
	for i, e := range all {
		if e.Sequence <= h.LowWater || !events.Selects(h.On, e.Type) {
			continue
		}
		state := []store.RunState{store.Succeeded, store.Skipped, store.Cancelled, store.Succeeded}[w.r.Intn(4)]
		if w.r.Intn(12) == 0 || failing {
			state = []store.RunState{store.Retrying, store.Dead}[w.r.Intn(2)]
		}
		if w.r.Intn(25) == 0 {
			break // the rest waits
		}
		x := steps.Outside(e, h.ID, 1, state)
		if next := i + 1; w.r.Intn(6) == 0 && next < len(all) && events.Selects(h.On, all[next].Type) {
			x.Joins = []int64{all[next].Sequence}
		}
		list = append(list, x)
		upTo = e.Sequence
	}
	for _, p := range steps.Must(w.s.Pending(ctx, h.ID, store.AllSlots, 1000))(w.t) {
		if i := slices.IndexFunc(all, func(e *events.Event) bool { return e.Sequence == p.Sequence }); i >= 0 && w.r.Intn(2) == 0 {
			list = append(list, steps.Outside(all[i], h.ID, p.Attempt+1, store.Succeeded))
		}
	}
	steps.Must(w.s.Settle(ctx, store.SettleBatch{Settlements: list}))(w.t)
	if w.r.Intn(3) > 0 {
		steps.Must(w.s.Settle(ctx, store.SettleBatch{Marks: []store.Mark{{Handler: h.ID, LowWater: upTo}}}))(w.t)
	}
}

// prune prunes what is older than a random time, and checks what is left.
func (w *world) prune() {
	w.t.Helper()
	until := w.clock.Now().Add(-time.Duration(w.r.Intn(90)) * time.Minute)
	want := w.model(until)
	q := store.PruneQuery{Until: until, Keys: w.r.Intn(2) == 0}
	look := All(w.t, w.s, store.PruneQuery{Until: until, Look: true, Keys: q.Keys})
	var got store.Pruned
	for end := false; !end; {
		q.Bytes = int64(w.r.Intn(4000))
		step := steps.Must(w.s.Prune(ctx, q))(w.t)
		got.Add(step.Pruned)
		q.After, end = step.Reached, step.End
	}
	if left := Left(w.t, w.s); left != fmt.Sprint(want) {
		w.t.Errorf("left: got %v, want %v", left, want)
	}
	if got != look.Pruned {
		w.t.Errorf("what the look said: got %v, want %v", got, look.Pruned)
	}
	for _, run := range steps.Must(w.s.Runs(ctx, store.RunQuery{Limit: 10000}))(w.t) {
		if !slices.Contains(want, run.Sequence) {
			w.t.Errorf("the run %s has no event", run.ID)
		}
	}
}

// model returns the sequences of the events that must be left.
func (w *world) model(until time.Time) (keep []int64) {
	all := steps.Must(store.AllEvents(ctx, w.s, store.EventQuery{}))(w.t)
	byEvent := map[int64][]store.Run{}
	for _, run := range steps.Must(w.s.Runs(ctx, store.RunQuery{Limit: 10000}))(w.t) {
		byEvent[run.Sequence] = append(byEvent[run.Sequence], run)
	}
	handlers := steps.Must(w.s.Handlers(ctx))(w.t)
	keeps := func(id store.HandlerID) bool {
		i := slices.IndexFunc(handlers, func(h store.Consumer) bool { return h.ID == id })
		return handlers[i].State == store.Active || w.clock.Now().Sub(handlers[i].Left) <= store.ReturnWithin
	}
	open := func(r store.Run) bool {
		return keeps(r.HandlerID) && (r.State == store.Running || r.State == store.Retrying || r.State == store.Dead)
	}
	needed := map[int64]bool{}
	for _, e := range all {
		if !w.accepted[e.Sequence].Before(until) {
			needed[e.Chain] = true
		}
		for _, h := range handlers {
			has := slices.ContainsFunc(byEvent[e.Sequence], func(r store.Run) bool { return r.HandlerID == h.ID })
			if keeps(h.ID) && h.LowWater < e.Sequence && !has && events.Selects(h.On, e.Type) {
				needed[e.Chain] = true
			}
		}
		for _, r := range byEvent[e.Sequence] {
			of := slices.IndexFunc(byEvent[r.Joined], func(j store.Run) bool { return j.HandlerID == r.HandlerID })
			if open(r) || r.Joined != 0 && of >= 0 && open(byEvent[r.Joined][of]) {
				needed[e.Chain] = true
			}
		}
	}
	for _, e := range all {
		if needed[e.Chain] {
			keep = append(keep, e.Sequence)
		}
	}
	return keep
}

// All prunes everything that was accepted before a time, and returns what went.
func All(t testing.TB, s store.Store, q store.PruneQuery) (all store.PruneStep) {
	t.Helper()
	for !all.End {
		step, err := s.Prune(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		all.Add(step.Pruned)
		all.Kept, all.Lost = append(all.Kept, step.Kept...), append(all.Lost, step.Lost...)
		all.End, all.Next, q.After = step.End, step.Next, step.Reached
	}
	return all
}

// Left returns the sequences of the events that are stored, as a text.
func Left(t testing.TB, s store.Store) string {
	t.Helper()
	all, err := store.AllEvents(ctx, s, store.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	list := make([]int64, len(all))
	for i, e := range all {
		list[i] = e.Sequence
	}
	return fmt.Sprint(list)
}
