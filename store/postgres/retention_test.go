package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest"
	"evrun/store/storetest/steps"
)

// Events are accepted again while they are pruned, by another process too: each is known at every moment.
func TestAnEventIsKnownWhileItIsPruned(t *testing.T) {
	address, clock := postgrestest.Database(t), steps.NewClock()
	var list []*postgres.Store
	for range 2 {
		s, err := postgres.Open(t.Context(), address, postgres.Options{Options: store.Options{Now: clock.Now}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		defer func() {
			stop()
			if err := errors.Join(<-ended, s.Close()); err != nil {
				t.Error(err)
			}
		}()
		list = append(list, s)
	}
	const each = 40
	for round := range storetest.Size(t, "EVRUN_PRUNE_ROUNDS", 15, 40) {
		batch := func() []*events.Event {
			evs := make([]*events.Event, each)
			for i := range evs {
				evs[i] = steps.Event("a.b", fmt.Sprint(round, "-", i))
			}
			return evs
		}
		first := steps.Must(list[0].Append(t.Context(), batch()))(t)
		clock.Pass(2 * time.Hour)
		var all sync.WaitGroup
		for _, s := range list {
			all.Go(func() {
				for again := range 6 {
					evs := batch()
					if again%2 == 0 {
						evs = evs[:1]
					}
					got, err := s.Append(t.Context(), evs)
					if err != nil {
						t.Error(err)
						return
					}
					for i, rc := range got {
						if !rc.Duplicate || rc.Sequence != first[i].Sequence {
							t.Errorf("round %d: event %d was accepted as %+v, and then as %+v", round, i, first[i], rc)
						}
					}
				}
			})
		}
		all.Go(func() {
			for q := (store.PruneQuery{Until: clock.Now().Add(-time.Hour), Keys: true}); ; {
				step, err := list[round%2].Prune(t.Context(), q)
				if err != nil {
					t.Error(err)
					return
				}
				if q.After = step.Reached; step.End {
					return
				}
			}
		})
		all.Wait()
	}
	p := steps.Must(list[1].Pruning(t.Context()))(t)
	if p.Total.Events != p.Keys || p.Keys == 0 {
		t.Errorf("%+v", p)
	}
}
