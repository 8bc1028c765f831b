package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
)

// nullJournal accepts everything.
type nullJournal struct {
	store.Journal
	seq int64
}

func (j *nullJournal) ID() string { return "bench" }

func (j *nullJournal) Append(_ context.Context, evs []*events.Event) ([]store.Receipt, error) {
	receipts := make([]store.Receipt, len(evs))
	for i := range evs {
		j.seq++
		receipts[i].Sequence = j.seq
	}
	return receipts, nil
}

// BenchmarkIngestLines measures what the server does for a line beside the store: read, decode, check, answer.
func BenchmarkIngestLines(b *testing.B) {
	const n = 10_000
	var body bytes.Buffer
	for i := range n {
		fmt.Fprintf(&body, `{"type":"user.registered","source":"/bench","data":{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}}`+"\n", i)
	}
	em := emitter.New(&nullJournal{}, 0)
	b.ReportAllocs()
	for b.Loop() {
		g := Lines{Emitter: em, MaxData: emitter.DefaultMaxEvent, Refuse: func() error { return nil }, Interrupt: func() {}}
		g.Run(b.Context(), bytes.NewReader(body.Bytes()), io.Discard, func() error { return nil })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/line")
}
