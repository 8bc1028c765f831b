package tasks_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
)

// journalReads counts the events that a runner reads from the journal.
type journalReads struct {
	store.Store
	events atomic.Int64
}

func (s *journalReads) Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error) {
	page, err := s.Store.Events(ctx, q)
	s.events.Add(int64(len(page)))
	return page, err
}

// calls counts the calls for each event.
type calls struct {
	mu   sync.Mutex
	more sync.Cond
	of   map[int64]int
}

func countCalls() *calls {
	c := &calls{of: map[int64]int{}}
	c.more.L = &c.mu
	return c
}

func (c *calls) add(d *tasks.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[d.Event.Sequence]++
	c.more.Broadcast()
}

// reach waits for the calls for n events.
func (c *calls) reach(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.of) < n {
		c.more.Wait()
	}
}

// A handler that is stuck for a while gets what the bus could not keep for it from the journal, and comes back to the bus: no event is lost or
// handled twice. Another handler of the same events reads nothing from the journal.
func TestAHandlerThatWasSlowComesBackToTheBus(t *testing.T) {
	const chunk, stuck, later = 500, events.MaxWaiting/500*500 + 3000, 1500
	gate, slow, quick := make(chan struct{}), countCalls(), countCalls()
	h := &tasks.Handler{Name: "slow", On: on("a"), Kind: "test", Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		<-gate
		slow.add(d)
		return nil, nil
	})}
	q := &tasks.Handler{Name: "quick", On: on("a"), Kind: "test", Action: insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
		quick.add(d)
		return tasks.Effect{Write: func(store.Tx) (any, error) { return nil, nil }}, nil
	})}
	var reads *journalReads
	d := startOn(t, path(t), sqlite.Options{}, func(s store.Store) store.Store {
		reads = &journalReads{Store: s}
		return reads
	}, h, q)
	sent := 0
	emit := func(n int) {
		t.Helper()
		for range n / chunk {
			var evs []*events.Event
			for range chunk {
				evs = append(evs, &events.Event{Type: "a", Source: "/test"})
			}
			if _, err := d.emitter.Emit(t.Context(), evs...); err != nil {
				t.Fatal(err)
			}
			sent += chunk
			quick.reach(sent) // it keeps up
		}
	}
	emit(stuck)
	if n := reads.events.Load(); n != 0 {
		t.Errorf("%d events were read from the journal before the slow handler went on", n)
	}
	close(gate)
	slow.reach(stuck)
	read := reads.events.Load()
	if read == 0 || read > stuck-events.MaxWaiting {
		t.Errorf("%d events were read from the journal, and %d were beyond the bound", read, stuck-events.MaxWaiting)
	}
	emit(later)
	slow.reach(sent)
	if n := reads.events.Load() - read; n != 0 {
		t.Errorf("%d events were read from the journal after the handler had come back", n)
	}
	d.stop()
	for name, c := range map[string]*calls{"slow": slow, "quick": quick} {
		for seq, n := range c.of {
			if n != 1 {
				t.Errorf("%s: #%d was handled %d times", name, seq, n)
			}
		}
	}
}
