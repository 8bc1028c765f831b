package batches_test

import (
	"testing"
	"time"
)

// BenchmarkDeadRuns retries many dead runs in a store that no daemon has.
//
//	go test -run '^$' -bench DeadRuns -benchtime 1x ./tasks/batches
func BenchmarkDeadRuns(b *testing.B) {
	const n = 20_000
	r := newRig(b)
	r.dead(1, n)
	for b.Loop() {
		began := time.Now()
		preview, err := r.batches().Preview(b.Context(), retry(ofH))
		if err != nil || preview.Count != n {
			b.Fatal(preview.Count, err)
		}
		looked := time.Since(began)
		if done, err := r.batches().Run(b.Context(), retry(ofH), quiet); err != nil || done.Changed != n {
			b.Fatal(done, err)
		}
		b.ReportMetric(float64(looked.Microseconds())/n, "µs/run-looked-at")
		b.ReportMetric(float64((time.Since(began)-looked).Microseconds())/n, "µs/run-retried")
	}
}
