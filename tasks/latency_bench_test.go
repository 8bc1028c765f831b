package tasks_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/handlers"
)

// spread reports the median and the 99th percentile of a duration, and returns them.
func spread(b *testing.B, name string, all []time.Duration) (p50, p99 time.Duration) {
	b.Helper()
	slices.Sort(all)
	p50, p99 = all[len(all)/2], all[len(all)*99/100]
	b.ReportMetric(float64(p50.Microseconds()), name+"-p50-µs")
	b.ReportMetric(float64(p99.Microseconds()), name+"-p99-µs")
	return p50, p99
}

// BenchmarkAcknowledge is one caller on an idle daemon, next to one bare transaction on the same disk, and to one that writes the event's own row: with
// its unique id it changes two pages, as an acknowledgement does.
func BenchmarkAcknowledge(b *testing.B) {
	d := start(b, path(b))
	bare := bareTransaction(b, filepath.Join(b.TempDir(), "bare.db"))
	const n = 1000
	row := bareEvent(b, filepath.Join(b.TempDir(), "event.db"))
	writes := []func(i int){
		func(i int) {
			if _, err := d.emitter.Emit(context.Background(), registered(i)); err != nil {
				b.Fatal(err)
			}
		},
		bare,
		func(i int) { row(registered(i)) },
	}
	for i := range n + n/5 { // until each log is written from its beginning again: to sync a growing file costs more
		for _, write := range writes {
			write(i)
		}
	}
	took := make([][]time.Duration, len(writes))
	for b.Loop() {
		for i := range n {
			for place := range writes {
				which := (i + place) % len(writes)
				begun := time.Now()
				writes[which](i)
				took[which] = append(took[which], time.Since(begun))
			}
		}
	}
	p50, p99 := spread(b, "ack", took[0])
	bare50, bare99 := spread(b, "bare", took[1])
	row50, _ := spread(b, "row", took[2])
	b.ReportMetric(float64(p50)/float64(bare50), "ack/bare")
	b.ReportMetric(float64(p50)/float64(row50), "ack/row")
	b.ReportMetric(float64(p99)/float64(bare50), "ack-p99/bare-p50")
	b.ReportMetric(float64(p99)/float64(bare99), "ack-p99/bare-p99")
}

// bareEvent opens a database and returns a function that commits an event's row to it, durably.
func bareEvent(b *testing.B, path string) func(e *events.Event) {
	b.Helper()
	db := openBare(b, path)
	if _, err := db.Exec(`CREATE TABLE events (sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT, source TEXT, time INTEGER, data TEXT) STRICT`); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare(`INSERT INTO events (id, type, source, time, data) VALUES (?,?,?,?,?)`)
	if err != nil {
		b.Fatal(err)
	}
	return func(e *events.Event) {
		if _, err := insert.Exec(events.NewID(), e.Type, e.Source, time.Now().UnixMicro(), string(e.Data)); err != nil {
			b.Fatal(err)
		}
	}
}

// threeInARow returns three inside handlers: an event of type a becomes one of type b, that a user.registered, and that a user's row.
func threeInARow(b *testing.B) []*tasks.Handler {
	b.Helper()
	step := func(name, on, to string) *tasks.Handler {
		action, faults := handlers.Build("emit", map[string]any{"type": to}, handlers.Deps{})
		if len(faults) > 0 {
			b.Fatal(faults[0].Message)
		}
		return &tasks.Handler{Name: name, On: []events.Pattern{events.MustPattern(on)}, Kind: "emit", Action: action}
	}
	return []*tasks.Handler{step("first", "a", "b"), step("second", "b", "user.registered"), userInsert(b)}
}

func link(i int) *events.Event {
	e := registered(i)
	e.Type = "a"
	return e
}

// BenchmarkChain measures a chain of three inside handlers on an idle daemon, one event after the other: from Emit's call to the commit of the user's
// row, next to one bare transaction on the same disk.
func BenchmarkChain(b *testing.B) {
	d := start(b, path(b), threeInARow(b)...)
	bare := bareTransaction(b, filepath.Join(b.TempDir(), "bare.db"))
	commits := d.commits.Subscribe(100)
	defer commits.Unsubscribe()
	saved := func(r store.Run) bool { return r.Handler == "save-user" && r.State == store.Succeeded }
	const n = 500
	var ended, committed []time.Duration
	done := 0
	for b.Loop() {
		for range n {
			t0 := time.Now()
			if _, err := d.emitter.Emit(context.Background(), link(done)); err != nil {
				b.Fatal(err)
			}
			for c := range commits.C() {
				if slices.ContainsFunc(c.Runs, saved) {
					break
				}
			}
			t1 := time.Now()
			bare(done)
			ended, committed = append(ended, t1.Sub(t0)), append(committed, time.Since(t1))
			done++
		}
	}
	p50, p99 := spread(b, "chain", ended)
	bare50, _ := spread(b, "bare", committed)
	b.ReportMetric(float64(p50)/float64(bare50), "chain/bare")
	b.ReportMetric(float64(p99)/float64(p50), "p99/p50")
	if got := users(b, d); int(got) != done {
		b.Fatalf("%d users, want %d", got, done)
	}
}

// BenchmarkChains measures the throughput of the same chain: three events, three runs and a user each.
func BenchmarkChains(b *testing.B) {
	d := start(b, path(b), threeInARow(b)...)
	const n, chunk = 20_000, 1000
	done := 0
	for b.Loop() {
		for range n / chunk {
			evs := make([]*events.Event, chunk)
			for i := range evs {
				evs[i] = link(done + i)
			}
			if _, err := d.emitter.Emit(context.Background(), evs...); err != nil {
				b.Fatal(err)
			}
			done += chunk
		}
		d.usersReach(done)
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "chains/s")
}
