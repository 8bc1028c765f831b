package tasks_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
)

// settledBatches holds the sizes of the batches that a runner settles. They wait for the gate.
type settledBatches struct {
	store.Store
	gate  chan struct{}
	mu    sync.Mutex
	runs  []int
	bytes []int
}

func (s *settledBatches) Settle(ctx context.Context, b store.SettleBatch) ([]store.Settled, error) {
	if len(b.Settlements) > 0 {
		size := 0
		for i := range b.Settlements {
			size += len(b.Settlements[i].Event.Data)
		}
		s.mu.Lock()
		s.runs, s.bytes = append(s.runs, len(b.Settlements)), append(s.bytes, size)
		s.mu.Unlock()
		<-s.gate
	}
	return s.Store.Settle(ctx, b)
}

// What a worker prepares while the store settles is bounded: in runs and in bytes.
func TestABatchIsBounded(t *testing.T) {
	const most, mostBytes = 2048, 1 << 20
	for _, c := range []struct{ events, data int }{{3 * most, 10}, {80, 200_000}} {
		t.Run(fmt.Sprint(c.data), func(t *testing.T) {
			done := countCalls()
			h := &tasks.Handler{Name: "h", On: on("a"), Kind: "test", Action: insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
				return tasks.Effect{Write: func(store.Tx) (any, error) { done.add(d); return nil, nil }}, nil
			})}
			s := &settledBatches{gate: make(chan struct{})}
			d := startOn(t, path(t), sqlite.Options{}, func(of store.Store) store.Store {
				s.Store = of
				return s
			}, h)
			text := fmt.Appendf(nil, `"%s"`, bytes.Repeat([]byte("a"), c.data))
			for part := range slices.Chunk(make([]*events.Event, c.events), 1000) {
				for i := range part {
					part[i] = &events.Event{Type: "a", Source: "/test", Data: text}
				}
				if _, err := d.emitter.Emit(t.Context(), part...); err != nil {
					t.Fatal(err)
				}
			}
			close(s.gate)
			done.reach(c.events)
			d.stop()
			if runs := slices.Max(s.runs); runs > most {
				t.Errorf("batches of %v runs", s.runs)
			}
			if size := slices.Max(s.bytes); size > mostBytes+len(text) {
				t.Errorf("batches of %v bytes", s.bytes)
			}
			if n := len(s.runs); n > 2+c.events/most+c.events*c.data/mostBytes*6/5 {
				t.Errorf("%d batches: %v", n, s.runs)
			}
		})
	}
}
