package tasks_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/trace"
	"evrun/tasks/trace/otlp"
)

// BenchmarkBulkSpans is BenchmarkBulk's emit without spans and with them: four for each input event, to a collector in this process that throws them away. lost is the part of
// them that the queue had no room for.
//
//	go test -run - -bench BulkSpans -benchtime 5x ./tasks
func BenchmarkBulkSpans(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer collector.Close()
	for _, on := range []bool{false, true} {
		b.Run(map[bool]string{false: "off", true: "on"}[on], func(b *testing.B) {
			var x *otlp.Exporter
			opt := sqlite.Options{}
			if on {
				opt.WantRuns = func() bool { return true }
				opt.OnCommit = func(c store.Commit) { x.Observe(c) }
			}
			first := userInsert(b)
			first.Emit = emitting(b, nil)
			second := handler(b, "copy-user", "b", "user.insert", map[string]any{"name": "${ data.name }", "email": "copy-${ data.email }"})
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			d := startTuned(b, path(b), opt, func(o *tasks.Options, s store.Store) {
				if on {
					x = otlp.New(otlp.Settings{URL: collector.URL, Sampler: trace.Sampler{Ratio: 1}, Delay: time.Second},
						otlp.Options{StoreID: s.ID(), Log: slog.New(slog.DiscardHandler)})
					o.Tracer = x.Tracer()
					go func() { ended <- x.Run(ctx) }()
				}
			}, first, second)
			b.ReportAllocs()
			bulk(b, d, d.allSettled)
			if stop(); on {
				<-ended
				n := x.Counts()
				b.ReportMetric(float64(n.Full)/float64(n.Full+n.Sent), "lost")
			}
		})
	}
}
