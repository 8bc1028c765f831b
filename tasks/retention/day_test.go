package retention_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
	"evrun/tasks/retention"
)

// TestADayOfEventsKeepsTheFileSteady lets a day pass with as many events in each of its seconds, and a retention of two hours. Each event has a run; one in
// ten causes another, one in a thousand ends dead, and is dropped hours later. In the second half of the day the file is as large in each hour: within 5 %.
// The clock is that of synctest: store, keeper and journal see 24 hours.
//
// EVRUN_DAY_EVENTS is how many events there are on that day: 100,000, and 400,000 in .ci/run. 2,000 a second are 172,800,000.
func TestADayOfEventsKeepsTheFileSteady(t *testing.T) {
	perDay := storetest.Size(t, "EVRUN_DAY_EVENTS", 100_000, 400_000)
	path := filepath.Join(t.TempDir(), "evrun.db")
	synctest.Test(t, func(t *testing.T) { aDay(t, path, perDay) })
}

func aDay(t *testing.T, path string, perDay int) {
	const (
		kept = 2 * time.Hour
		step = time.Minute
	)
	s, err := sqlite.Open(path, sqlite.Options{Synchronous: "normal", Unwatched: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	keeper := retention.New(retention.Options{Store: s, Policy: retention.Policy{Events: kept, Dedupe: kept}, Log: slog.New(slog.DiscardHandler)})
	parts.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	list, err := s.Register(ctx, []store.Registration{{Name: "work", On: []events.Pattern{events.MustPattern("a.b")}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pruning, end := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		if err := keeper.Run(pruning); err != nil {
			t.Error(err)
		}
	})
	b := busy{s: s, work: list[0]}
	var sizes []int64
	steps := int(24 * time.Hour / step)
	begun := time.Now()
	for i := range steps {
		b.publish(t, perDay*(i+1)/steps-perDay*i/steps)
		time.Sleep(step)
		if passed := time.Since(begun); passed%time.Hour == 0 {
			if err := b.drop(ctx, passed); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			size, err := s.Sizes(ctx)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, info.Size())
			t.Logf("hour %d: %.1f MB in the file, %.1f MB of them free, the log has %.1f MB", len(sizes), float64(info.Size())/1e6, float64(size.Free)/1e6, float64(size.WAL)/1e6)
		}
	}
	end()
	keeping.Wait()
	state, err := s.Pruning(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	parts.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	steady := sizes[len(sizes)/2:]
	low, high := steady[0], steady[0]
	for _, n := range steady {
		low, high = min(low, n), max(high, n)
	}
	t.Logf("%d events, %d pruned with %d runs: the file has %d to %d bytes", b.n, state.Total.Events, state.Total.Runs, low, high)
	if state.Total.Events < int64(b.n)*8/10 {
		t.Errorf("%d of %d events were pruned", state.Total.Events, b.n)
	}
	if spread := float64(high-low) / float64(high); spread > 0.05 {
		t.Errorf("the file's size differs by %.1f %% between hours: %v", 100*spread, steady)
	}
}

// busy publishes events, and settles their runs at once.
type busy struct {
	s    *sqlite.Store
	work store.Consumer
	n    int
	dead []int64
}

func (b *busy) publish(t *testing.T, count int) {
	for rest := count; rest > 0; rest -= 500 {
		evs := make([]*events.Event, min(rest, 500))
		for i := range evs {
			b.n++
			evs[i] = &events.Event{Type: "a.b", ID: fmt.Sprintf("day-%09d", b.n), Source: "/day", Time: time.Now(), Data: fmt.Appendf(nil, `{"n":%d,"text":%q}`, b.n, strings.Repeat("x", rand.N(120)))}
		}
		if _, err := b.s.Append(t.Context(), evs); err != nil {
			t.Fatal(err)
		}
		batch := store.SettleBatch{Marks: []store.Mark{{Handler: b.work.ID, LowWater: evs[len(evs)-1].Sequence}}}
		for i, e := range evs {
			o := store.Outcome{State: store.Succeeded}
			switch n := b.n - len(evs) + i; {
			case n%1000 == 0:
				o = store.Outcome{State: store.Dead, Error: "no such host"}
				b.dead = append(b.dead, e.Sequence)
			case n%10 == 0:
				o.Emit = []*events.Event{{Type: "b.c", ID: e.ID + ".1", Source: "/work", Time: time.Now(), Chain: e.Chain, Cause: e.Sequence, Data: e.Data}}
			}
			batch.Settlements = append(batch.Settlements, store.Settlement{Event: e, Handler: b.work.ID, Attempt: 1, Started: time.Now(), Outcome: o})
		}
		if _, err := b.s.Settle(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
}

// drop drops the dead runs, every third hour.
func (b *busy) drop(ctx context.Context, passed time.Duration) error {
	if passed%(3*time.Hour) != 0 {
		return nil
	}
	for _, sequence := range b.dead {
		if _, err := b.s.Drop(ctx, store.Change{Query: store.RunQuery{Sequence: sequence}}); err != nil {
			return err
		}
	}
	b.dead = nil
	return nil
}
