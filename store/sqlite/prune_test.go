package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/sqlite"
)

// Pruning that is interrupted between two transactions has deleted whole chains, and goes on where it stopped; what it deleted is known.
func TestInterruptedPruningGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	pruning, stop := context.WithCancel(context.Background())
	defer stop()
	began, commits := false, 0
	s, err := sqlite.Open(path, sqlite.Options{At: func(p sqlite.Point) {
		if p == sqlite.AfterCommit && began {
			if commits++; commits == 2 {
				stop()
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	running, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	const chains = 600
	evs := bulk(chains, func(i int) string { return fmt.Sprint("root ", i) })
	if _, err := s.Append(running, evs); err != nil {
		t.Fatal(err)
	}
	children := bulk(chains, func(i int) string { return fmt.Sprint("child ", i) })
	for i, e := range children {
		e.Chain = evs[i].Sequence
	}
	if _, err := s.Append(running, children); err != nil {
		t.Fatal(err)
	}
	evs = append(evs, children...)
	q := store.PruneQuery{Until: time.Now().Add(time.Hour), Keys: true}
	began = true
	for err == nil {
		var step store.PruneStep
		if step, err = s.Prune(pruning, q); err == nil && step.End {
			t.Skip("two transactions were enough")
		}
		q.After = step.Reached
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	end()
	<-ended
	s.Close()

	s = open(t, path, sqlite.Options{})
	ctx := context.Background()
	left, err := store.AllEvents(ctx, s, store.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	members := map[int64]int{}
	for _, e := range left {
		members[e.Chain]++
	}
	for chain, n := range members {
		if n != 2 {
			t.Errorf("chain #%d has %d events", chain, n)
		}
	}
	p, err := s.Pruning(ctx)
	if err != nil || p.Total.Events+int64(len(left)) != 2*chains || p.Keys != p.Total.Events || p.Total.Events == 0 {
		t.Errorf("%d events left, %+v, %v", len(left), p, err)
	}
	for q := (store.PruneQuery{After: p.Scanned, Until: time.Now().Add(time.Hour), Keys: true}); ; {
		step, err := s.Prune(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		if q.After = step.Reached; step.End {
			break
		}
	}
	receipts, err := s.Append(ctx, evs)
	for i, rc := range receipts {
		if !rc.Duplicate || rc.Sequence != evs[i].Sequence {
			t.Fatalf("%s again: %+v, it was #%d", evs[i].ID, rc, evs[i].Sequence)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
