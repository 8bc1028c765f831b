package search_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks/search"
)

// Pages of waiting runs, alone and among others, have each run once, in order, whatever their size.
func TestWaitingRunsComeInPages(t *testing.T) {
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		<-ended
		s.Close()
	}()
	known, err := s.Register(ctx, []store.Registration{
		{Name: "b", On: []events.Pattern{events.MustPattern("x")}}, {Name: "a", On: []events.Pattern{events.MustPattern(">")}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	var evs []*events.Event
	var want []string // newest first
	of := map[string]store.RunState{}
	for i := range 9000 { // more than a step looks at first
		evs = append(evs, &events.Event{ID: fmt.Sprint(i), Source: "/t", Type: []string{"x", "y"}[r.IntN(2)], Time: time.Now()})
	}
	if _, err := s.Append(ctx, evs); err != nil {
		t.Fatal(err)
	}
	var settlements []store.Settlement
	for _, e := range evs {
		var ids []string
		for i, c := range known {
			if !c.On[0].Match(e.Type) {
				continue
			}
			state := store.Waiting
			if near := e.Sequence < 20 || e.Sequence > 8950; !near || r.IntN(2) == 0 {
				state = []store.RunState{store.Succeeded, store.Dead}[r.IntN(2)]
				settlements = append(settlements, store.Settlement{Event: e, Handler: c.ID, Attempt: 1, Started: e.Time, Outcome: store.Outcome{State: state}})
			}
			id := store.RunID(e.Sequence, c.Name, s.ID())
			of[id] = state
			if ids = append(ids, id); known[0].ID > known[1].ID && i == 1 {
				slices.Reverse(ids)
			}
		}
		want = append(ids, want...)
	}
	if _, err := s.Settle(ctx, store.SettleBatch{Settlements: settlements}); err != nil {
		t.Fatal(err)
	}
	for _, states := range [][]store.RunState{{store.Waiting}, {store.Waiting, store.Dead}} {
		for _, limit := range []int{1, 7, 300, 1000} {
			if len(states) > 1 && limit < 300 {
				continue // thousands of pages
			}
			for _, oldest := range []bool{false, true} {
				q := search.Query{States: states, Limit: limit, Oldest: oldest}
				var got []string
				for {
					page, err := search.Runs(ctx, s, q)
					if err != nil {
						t.Fatal(err)
					}
					for _, run := range page.Items {
						got = append(got, run.ID)
					}
					if q.After = page.Next; q.After == "" {
						break
					}
				}
				wanted := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return !slices.Contains(states, of[id]) })
				if oldest { // by event, those of one event in the same order
					slices.SortStableFunc(wanted, func(a, b string) int {
						x, _, _, _ := store.ParseRunID(a)
						y, _, _, _ := store.ParseRunID(b)
						return int(x - y)
					})
				}
				if !slices.Equal(got, wanted) {
					t.Errorf("%v, %d a page, oldest %v: %d runs, want %d", states, limit, oldest, len(got), len(wanted))
				}
			}
		}
	}
}
