package retention_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store/sqlite"
	"evrun/tasks/retention"
)

// BenchmarkAcceptance has 40 callers publish 2,000 events a second, each waiting for its acknowledgement, in rounds of five seconds: without pruning, and
// with a keeper that prunes all that is older than a second. "ratio" is the second p99 by the first, in one run:
//
//	go test -run - -bench Acceptance -benchtime 3x ./tasks/retention
func BenchmarkAcceptance(b *testing.B) {
	s, err := sqlite.Open(filepath.Join(b.TempDir(), "evrun.db"), sqlite.Options{Unwatched: true})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	if _, err := s.Register(ctx, nil, nil); err != nil {
		b.Fatal(err)
	}
	a := acceptance{s: s}
	a.take(b) // the file has its first pages
	var alone, beside []time.Duration
	for range b.N {
		alone = append(alone, a.take(b)...)
		pruning, end := context.WithCancel(ctx)
		keeper := retention.New(retention.Options{Store: s, Policy: retention.Policy{Events: time.Second, Dedupe: time.Hour}, Log: slog.New(slog.DiscardHandler)})
		var keeping sync.WaitGroup
		keeping.Go(func() {
			if err := keeper.Run(pruning); err != nil {
				b.Error(err)
			}
		})
		beside = append(beside, a.take(b)...)
		end()
		keeping.Wait()
	}
	state, err := s.Pruning(ctx)
	if err != nil {
		b.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if state.Total.Events == 0 {
		b.Fatal("nothing was pruned")
	}
	without, with := p99(alone), p99(beside)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(without.Seconds()*1e3, "ms-p99-alone")
	b.ReportMetric(with.Seconds()*1e3, "ms-p99-pruning")
	b.ReportMetric(with.Seconds()/without.Seconds(), "ratio")
	b.ReportMetric(float64(state.Total.Events)/float64(len(beside)), "pruned/accepted")
}

func p99(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)*99/100]
}

// acceptance publishes at a steady rate.
type acceptance struct {
	s     *sqlite.Store
	round int
}

// take publishes for five seconds, and returns how long each acknowledgement took.
func (a *acceptance) take(b *testing.B) []time.Duration {
	const callers, each, every = 40, 250, 20 * time.Millisecond
	a.round++
	took := make([][]time.Duration, callers)
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for i := range each {
				<-tick.C
				e := &events.Event{Type: "a.b", ID: fmt.Sprintf("%d-%d-%d", a.round, i, c), Source: "/bench", Time: time.Now(), Data: []byte(`{"name":"Ada"}`)}
				begun := time.Now()
				if _, err := a.s.Append(b.Context(), []*events.Event{e}); err != nil {
					b.Error(err)
					return
				}
				took[c] = append(took[c], time.Since(begun))
			}
		})
	}
	all.Wait()
	return slices.Concat(took...)
}
