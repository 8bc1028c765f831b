package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// emitMany accepts n events of a type, 500 at a time.
func (d *daemon) emitMany(n int, data func(i int) string) []*events.Event {
	d.t.Helper()
	var all []*events.Event
	for len(all) < n {
		var batch []*events.Event
		for i := range min(500, n-len(all)) {
			batch = append(batch, &events.Event{Type: "a", Source: "/test", Data: []byte(data(len(all) + i))})
		}
		if _, err := d.emitter.Emit(context.Background(), batch...); err != nil {
			d.t.Fatal(err)
		}
		all = append(all, batch...)
	}
	return all
}

// none is data for events of which none is needed.
func none(int) string { return `{}` }

// starts returns when the attempts of all runs, except skipped ones, began, in order.
func starts(t *testing.T, d *daemon, runs []store.Run) []time.Time {
	t.Helper()
	var at []time.Time
	for _, r := range runs {
		if r.State == store.Skipped {
			continue
		}
		if r.State == store.Succeeded && r.Attempt == 1 {
			at = append(at, r.StartedAt)
			continue
		}
		history, err := d.store.Attempts(t.Context(), store.AttemptQuery{Run: r.ID})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range history {
			at = append(at, a.StartedAt)
		}
		if r.State != store.Dead { // the last attempt of a dead one is in its history
			at = append(at, r.StartedAt)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return at
}

// spaced checks that the time between any two attempts is at least the rate's interval.
func spaced(t *testing.T, at []time.Time, interval time.Duration) {
	t.Helper()
	for i := 1; i < len(at); i++ {
		if gap := at[i].Sub(at[i-1]); gap < interval {
			t.Fatalf("attempts %d and %d of %d began %v apart, with one every %v", i, i+1, len(at), gap, interval)
		}
	}
}

func TestRateSpreadsAndDropsNothing(t *testing.T) {
	const n = 10_000
	for name, action := range map[string]tasks.Action{
		"inside":  saveUser,
		"outside": outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, nil }),
	} {
		t.Run(name, func(t *testing.T) {
			p := path(t)
			synctest.Test(t, func(t *testing.T) {
				d := startWith(t, p, sqlite.Options{Synchronous: "normal"}, &tasks.Handler{Name: "h", On: on("a"), Action: action, Rate: tasks.Rate{Count: 1000, Per: time.Second}})
				began := time.Now()
				d.emitMany(n, none)
				wait(n * time.Millisecond)
				runs := d.settled(n)
				at := starts(t, d, runs)
				if len(at) != n {
					t.Errorf("%d attempts for %d events", len(at), n)
				}
				spaced(t, at, time.Millisecond)
				if last := at[n-1].Sub(began); last < (n-1)*time.Millisecond || last > 2*n*time.Millisecond {
					t.Errorf("the last attempt began after %v", last)
				}
				d.stop()
			})
		})
	}
}

// A worker notices a token that comes while it looks for work. The test needs real time. A worker that missed the token would wait for the next
// sweep, and there is none.
func TestATokenIsNotMissed(t *testing.T) {
	defer tasks.SweepEvery(10 * hang)()
	for _, rate := range []int{2000, 20_000, 1_000_000} {
		d := startWith(t, path(t), sqlite.Options{Synchronous: "normal"},
			&tasks.Handler{Name: "h", On: on("a"), Action: saveUser, Rate: tasks.Rate{Count: rate, Per: time.Second}})
		d.emitMany(700, none)
		spaced(t, starts(t, d, d.settled(700)), time.Second/time.Duration(rate))
		d.stop()
	}
}

// Retries take tokens like first attempts, regardless of their backoff.
func TestRateHoldsForRetries(t *testing.T) {
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		d := start(t, p, &tasks.Handler{Name: "h", On: on("a"), Rate: tasks.Rate{Count: 10, Per: time.Second}, Concurrency: 8,
			Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, errors.New("no") })})
		d.emitMany(40, none)
		wait(12 * time.Second)
		at := starts(t, d, d.settled(40))
		if len(at) != 120 {
			t.Errorf("%d attempts", len(at))
		}
		spaced(t, at, 100*time.Millisecond)
		d.stop()
	})
}

// Skipped events take no token: an event only waits for the runs before it.
func TestRateCountsNoSkippedEvents(t *testing.T) {
	when, err := expression.Compile("data.n % 100 == 0", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		d := start(t, p, &tasks.Handler{Name: "h", On: on("a"), When: when, Action: saveUser, Rate: tasks.Rate{Count: 1, Per: time.Hour}})
		began := time.Now()
		d.emitMany(401, func(i int) string { return fmt.Sprintf(`{"n":%d}`, i) })
		for len(must(t, d, store.Succeeded)) < 5 {
			wait(time.Minute)
		}
		at := starts(t, d, d.settled(401))
		spaced(t, at, time.Hour)
		if last := at[4].Sub(began); last >= 5*time.Hour {
			t.Errorf("the fifth run began after %v", last)
		}
		d.stop()
	})
}

// A worker that waits for its next token stops at once, and continues after a restart.
func TestRateWaitsInTheJournal(t *testing.T) {
	p := path(t)
	synctest.Test(t, func(t *testing.T) {
		limited := func() *tasks.Handler {
			return &tasks.Handler{Name: "h", On: on("a"), Action: saveUser, Rate: tasks.Rate{Count: 1, Per: 24 * time.Hour}}
		}
		d := start(t, p, limited())
		d.emitMany(3000, none)
		d.settled(1)
		began := time.Now()
		d.stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v to stop", took)
		}
		d = start(t, p, limited())
		if runs := d.settled(2); len(runs) != 2 { // a start has a token
			t.Errorf("%d runs", len(runs))
		}
		d.stop()
	})
}

func TestRateIsWrittenAsInTheFile(t *testing.T) {
	for want, r := range map[string]tasks.Rate{
		"10/s": {Count: 10, Per: time.Second}, "3/m": {Count: 3, Per: time.Minute}, "1/h": {Count: 1, Per: time.Hour}, "2/d": {Count: 2, Per: 24 * time.Hour},
	} {
		if got := r.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := (tasks.Rate{Count: 3, Per: time.Second}).Interval(); got*3 < time.Second {
		t.Errorf("three in %v are more than 3/s", got*3)
	}
	if got := (tasks.Rate{}).Interval(); got != 0 {
		t.Errorf("no rate: %v", got)
	}
}
