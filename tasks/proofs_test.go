package tasks_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
)

// The store ends under the runner while events come in, again and again: each event is in exactly one burst, and all attempts of a run see the events
// that joined it.
func TestKillsNeitherLoseNorDoubleAnEventOfABurst(t *testing.T) {
	const rounds, each = 6, 60
	p := path(t)
	var saw []burstSeen
	handler := func() (*tasks.Handler, *gatherer) {
		g := newGatherer(t)
		g.fails = func(d *tasks.Delivery) error {
			if d.Attempt == 1 && d.Event.Sequence%3 == 0 {
				return errors.New("not at first")
			}
			return nil
		}
		h := g.handler(tasks.Debounce{Wait: 2 * time.Millisecond, MaxWait: 8 * time.Millisecond, By: by(t, "data.n % 5"), All: true})
		h.Retry = tasks.Retry{Attempts: 50, Backoff: time.Millisecond, Max: 2 * time.Millisecond}
		return h, g
	}
	for round := range rounds {
		h, g := handler()
		d := start(t, p, h)
		for i := range each / 3 {
			d.emitMany(3, func(j int) string { return fmt.Sprintf(`{"n":%d}`, i+j) })
		}
		wait(time.Duration(round) * 2 * time.Millisecond)
		d.kill()
		saw = append(saw, g.seen()...)
	}
	h, g := handler()
	d := start(t, p, h)
	runs := d.settled(rounds * each)
	bursts := accounted(t, runs, rounds*each)
	for _, s := range append(saw, g.seen()...) {
		if got := bursts[s.run]; !slices.Equal(s.ids, got) {
			t.Errorf("attempt %d of run %s saw %v, and %v joined it", s.attempt, s.run, s.ids, got)
		}
	}
	for _, r := range runs {
		if r.State != store.Skipped && r.State != store.Succeeded {
			t.Errorf("run %+v", r)
		}
	}
}

// All attempts of a run see the same events, over a restart and after a retry by hand. See [TestRetriesSeeTheSameEvents].
func TestAttemptsOfABurstSeeTheSameEventsInRealTime(t *testing.T) {
	const n = 200
	p := path(t)
	var healed atomic.Bool
	g := newGatherer(t)
	g.fails = func(*tasks.Delivery) error {
		if healed.Load() {
			return nil
		}
		return errors.New("no")
	}
	handler := func() *tasks.Handler {
		h := g.handler(tasks.Debounce{Wait: 10 * time.Millisecond, All: true})
		h.Retry = tasks.Retry{Attempts: 4, Backoff: 100 * time.Millisecond, Max: 100 * time.Millisecond}
		return h
	}
	d := start(t, p, handler())
	d.emitMany(n, none)
	for len(g.seen()) < 2 {
		wait(time.Millisecond)
	}
	d.stop()
	d = start(t, p, handler())
	dead := d.settled(n)[n-1]
	if dead.State != store.Dead || dead.Attempt != 4 {
		t.Fatalf("run %+v", dead)
	}
	healed.Store(true)
	if runs, err := d.runner.Retry(t.Context(), store.Change{Query: store.RunQuery{ID: dead.ID}}); err != nil || len(runs) != 1 {
		t.Fatalf("retry: %v, %v", runs, err)
	}
	for len(must(t, d, store.Succeeded)) < 1 {
		wait(time.Millisecond)
	}
	seen := g.seen()
	for _, s := range seen {
		if s.run != dead.ID || len(s.ids) != n || !slices.Equal(s.ids, seen[0].ids) {
			t.Errorf("attempt %d of %s saw %d events", s.attempt, s.run, len(s.ids))
		}
	}
	if len(seen) < 5 {
		t.Errorf("%d attempts", len(seen))
	}
}

// Retries take tokens like first attempts. See [TestRateHoldsForRetries].
func TestRateHoldsForRetriesInRealTime(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Rate: tasks.Rate{Count: 100, Per: time.Second}, Concurrency: 8, Action: failing})
	var evs []*events.Event
	for range 30 {
		evs = append(evs, &events.Event{Type: "a", Source: "/test"})
	}
	if _, err := d.emitter.Emit(t.Context(), evs...); err != nil {
		t.Fatal(err)
	}
	at := starts(t, d, d.settled(30))
	if len(at) != 90 {
		t.Errorf("%d attempts", len(at))
	}
	spaced(t, at, 10*time.Millisecond)
}
