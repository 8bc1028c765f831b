package tasks_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/tasks"
)

// BenchmarkHostile measures guarantee 8: how long the acknowledgement of another sender's event takes, with and without handlers that try to block
// the store's writer. The metric more-p99-ms is the difference from alone, at most 100.
//
//	go test -run - -bench Hostile -benchtime 1x ./tasks
func BenchmarkHostile(b *testing.B) {
	const (
		docs = "CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT)"
		hits = "CREATE TABLE hits (n)"
		// About 0.16 s of work on a machine of 2020, the maximum for one evaluation.
		count = "INSERT INTO hits WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < %d) SELECT count(*) FROM c"
	)
	body := strings.Repeat("a", 900_000)
	pattern := strings.Repeat("a", 49_000) + "b"
	var alone time.Duration
	const insert = "INSERT INTO hits VALUES (1) RETURNING n"
	for _, c := range []struct {
		name, statement string
		params          map[string]any
		events          int // that the hostile handlers have before them
		handlers        int
		emit            string // the data of what it emits
	}{
		{"alone", "", nil, 0, 0, ""},
		{"LIKE", "INSERT INTO hits SELECT count(*) FROM docs WHERE body LIKE '%' || :q || '%'", map[string]any{"q": pattern}, 4, 1, ""},
		{"LIKE-short", "INSERT INTO hits SELECT count(*) FROM docs WHERE id > 1 AND body LIKE :q", map[string]any{"q": "%" + pattern[:60] + "b%"}, 200, 1, ""},
		{"trim", "INSERT INTO hits SELECT length(trim(substr(:q, 1, 2000), substr(:q, 1, 2000)))", map[string]any{"q": pattern[:2000]}, 200, 1, ""},
		{"100-of-160ms", fmt.Sprintf(count, 400_000), nil, 100, 1, ""},
		{"512-of-160ms", fmt.Sprintf(count, 400_000), nil, 512, 1, ""},
		{"512-of-5ms", fmt.Sprintf(count, 10_000), nil, 512, 1, ""},
		{"endless", fmt.Sprintf(count, int64(1)<<60), nil, 100, 1, ""},
		{"endless-6", fmt.Sprintf(count, int64(1)<<60), nil, 100, 6, ""},
		{"blobs", "INSERT INTO hits WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT :q FROM c", map[string]any{"q": body}, 100, 1, ""},
		{"blobs-one-by-one", "INSERT INTO hits VALUES (:q)", map[string]any{"q": body}, 512, 1, ""},
		{"read", "SELECT count(*) AS n FROM docs a, docs b, docs c, docs d, docs e, docs f, docs g, docs h WHERE a.body <> b.body || c.body", nil, 100, 1, ""},
		{"emit", insert, nil, 100, 1, "${ len(filter(1..1500000, {# % 7 == result.row.n})) }"},
		{"emit-6", insert, nil, 100, 6, "${ len(filter(1..1500000, {# % 7 == result.row.n})) }"},
		{"emit-in-its-budget", insert, nil, 512, 1, "${ count(1..12000, {# % 7 == result.row.n}) }"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var hostile []*tasks.Handler
			for i := range c.handlers {
				with := map[string]any{"statement": c.statement, "migrate": []any{docs, hits,
					"INSERT INTO docs WITH RECURSIVE c(x) AS (SELECT 2 UNION ALL SELECT x + 1 FROM c WHERE x < 40) SELECT x, 'aaaa' || x FROM c"}}
				if c.params != nil {
					with["params"] = c.params
				}
				h := sqlHandler(b, with)
				h.Name, h.On = fmt.Sprint("hostile-", i), on("hostile")
				if c.emit != "" {
					h.Emit = emitting(b, c.emit)
				}
				hostile = append(hostile, h)
			}
			d := start(b, path(b), hostile...)
			if c.handlers > 0 {
				if _, err := d.emitter.Emit(b.Context(), &events.Event{Type: "doc", Source: "/bench", Data: []byte(`"` + body + `"`)}); err != nil {
					b.Fatal(err)
				}
			}
			evs := make([]*events.Event, c.events)
			for i := range evs {
				evs[i] = &events.Event{Type: "hostile", Source: "/bench"}
			}
			if len(evs) > 0 {
				if _, err := d.emitter.Emit(b.Context(), evs...); err != nil {
					b.Fatal(err)
				}
			}
			var took []time.Duration
			for b.Loop() {
				for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
					begun := time.Now()
					if _, err := d.emitter.Emit(context.Background(), registered(len(took))); err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(begun))
					wait(time.Millisecond)
				}
			}
			slices.Sort(took)
			p99 := took[len(took)*99/100]
			if c.handlers == 0 {
				alone = p99
			}
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
			b.ReportMetric(ms(took[len(took)/2]), "ack-p50-ms")
			b.ReportMetric(ms(p99), "ack-p99-ms")
			b.ReportMetric(ms(took[len(took)-1]), "ack-max-ms")
			b.ReportMetric(ms(p99-alone), "more-p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
