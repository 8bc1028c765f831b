package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
)

// bulk are n events as a bulk brings them.
func bulk(n int, id func(i int) string) []*events.Event {
	evs := make([]*events.Event, n)
	for i := range evs {
		evs[i] = &events.Event{ID: id(i), Source: "/bench", Type: "user.registered", Time: time.Now(), CorrelationID: id(i),
			Data: []byte(`{"name":"Ada Lovelace","email":"user-12345@example.com","plan":"pro"}`)}
	}
	return evs
}

// BenchmarkAppendBesideKeys is the cost of an event in a bulk: with no keys of pruned events, with many of them, and before the writer knows which.
func BenchmarkAppendBesideKeys(b *testing.B) {
	for _, keys := range []int{0, 100_000} {
		for _, known := range []bool{true, false} {
			if keys == 0 && !known {
				continue
			}
			b.Run(fmt.Sprintf("keys=%d/known=%v", keys, known), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "evrun.db")
				if keys > 0 {
					s, err := sqlite.Open(path, sqlite.Options{Synchronous: "normal"})
					if err != nil {
						b.Fatal(err)
					}
					ctx, stop := context.WithCancel(context.Background())
					ended := make(chan error, 1)
					go func() { ended <- s.Run(ctx) }()
					for range keys / 1000 {
						if _, err := s.Append(ctx, bulk(1000, func(int) string { return events.NewID() })); err != nil {
							b.Fatal(err)
						}
					}
					for q := (store.PruneQuery{Until: time.Now().Add(time.Hour), Keys: true}); ; {
						step, err := s.Prune(ctx, q)
						if err != nil {
							b.Fatal(err)
						}
						if q.After = step.Reached; step.End {
							break
						}
					}
					stop()
					<-ended
					s.Close()
				}
				s := open(b, path, sqlite.Options{Synchronous: "normal"})
				if known {
					for after := []byte(nil); ; {
						next, _, err := s.ForgetKeys(context.Background(), after, time.Time{})
						if err != nil {
							b.Fatal(err)
						}
						if after = next; next == nil {
							break
						}
					}
				}
				const per = 1000
				for b.Loop() {
					b.StopTimer()
					evs := bulk(per, func(int) string { return events.NewID() })
					b.StartTimer()
					if _, err := s.Append(context.Background(), evs); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/per, "ns/event")
			})
		}
	}
}
