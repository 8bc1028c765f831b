package tasks_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/handlers"
)

// These measure the whole engine on a disk: `go test -run - -bench . ./tasks`. They do the same job as the benchmarks of comparable programs: accept
// an event durably, run a handler that inserts one user for it, and mark it done.

func userInsert(b *testing.B) *tasks.Handler {
	b.Helper()
	return handler(b, "save-user", "user.registered", "user.insert", map[string]any{"name": "${ data.name }", "email": "${ data.email }"})
}

// handler wires a kind to a type.
func handler(b *testing.B, name, typ, kind string, with map[string]any) *tasks.Handler {
	b.Helper()
	action, faults := handlers.Build(kind, with, handlers.Deps{})
	if len(faults) > 0 {
		b.Fatal(faults[0].Message)
	}
	return &tasks.Handler{Name: name, On: on(typ), Kind: kind, Action: action}
}

func registered(i int) *events.Event {
	return &events.Event{Type: "user.registered", Source: "/bench", Data: fmt.Appendf(nil, `{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}`, i)}
}

// usersReach waits for n user rows. Counting them costs a scan, so it asks for the newest first.
func (d *daemon) usersReach(n int) {
	for {
		page, err := d.store.ListUsers(context.Background(), int64(n-1), 1)
		if err != nil {
			d.t.Fatal(err)
		}
		if len(page) > 0 {
			break
		}
		wait(time.Millisecond)
	}
	if got, err := d.store.CountUsers(context.Background()); err != nil || int(got) != n {
		d.t.Fatalf("%d users, want %d (%v)", got, n, err)
	}
}

// bulk appends n events after the first base, in chunks of 1,000, two at a time. It returns when reached does, which waits for the handlers' results
// for base+n events.
func (d *daemon) bulk(base, n int, reached func(n int)) {
	const chunk = 1000
	chunks := make(chan int)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for c := range chunks {
				evs := make([]*events.Event, chunk)
				for i := range evs {
					evs[i] = registered(base + c*chunk + i)
				}
				if _, err := d.emitter.Emit(context.Background(), evs...); err != nil {
					d.t.Error(err)
				}
			}
		})
	}
	for c := range n / chunk {
		chunks <- c
	}
	close(chunks)
	wg.Wait()
	reached(base + n)
}

// BenchmarkBulkOnLarge does the same on a journal that has EVRUN_BENCH_JOURNAL events already (5000000 is what the README
// quotes; it takes minutes and 2 GB of disk), and first on an empty one: the metric is their ratio.
func BenchmarkBulkOnLarge(b *testing.B) {
	stored, err := strconv.Atoi(os.Getenv("EVRUN_BENCH_JOURNAL"))
	if err != nil {
		b.Skip("set EVRUN_BENCH_JOURNAL to a number of events, 5000000 for one")
	}
	const n = 200_000
	measure := func(d *daemon, base int) float64 {
		begin := time.Now()
		d.bulk(base, n, d.usersReach)
		return n / time.Since(begin).Seconds()
	}
	large := start(b, path(b), userInsert(b))
	for done := 0; done < stored; done += n {
		large.bulk(done, n, large.usersReach)
	}
	var onEmpty, onLarge float64
	base := stored
	for b.Loop() {
		empty := start(b, path(b), userInsert(b))
		onEmpty += measure(empty, 0)
		empty.stop()
		onLarge += measure(large, base)
		base += n
	}
	b.ReportMetric(onEmpty/float64(b.N), "empty-events/s")
	b.ReportMetric(onLarge/float64(b.N), "large-events/s")
	b.ReportMetric(onLarge/onEmpty, "large/empty")
}

// BenchmarkCallers has 128 callers that each wait for the acknowledgement of one event before the next.
func BenchmarkCallers(b *testing.B) {
	d := start(b, path(b), userInsert(b))
	const callers, each = 128, 400
	for b.Loop() {
		base, _ := d.store.CountUsers(b.Context())
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for i := range each {
					if _, err := d.emitter.Emit(context.Background(), registered(int(base)+c*each+i)); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		d.usersReach(int(base) + callers*each)
	}
	b.ReportMetric(float64(b.N)*callers*each/b.Elapsed().Seconds(), "events/s")
}

// bareTransaction opens a database and returns a function that commits one row to it, durably.
func bareTransaction(b *testing.B, path string) func(i int) {
	b.Helper()
	db := openBare(b, path)
	insert, err := db.Prepare(`INSERT INTO t (v) VALUES (?)`)
	if err != nil {
		b.Fatal(err)
	}
	return func(i int) {
		if _, err := insert.Exec(fmt.Sprintf(`{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}`, i)); err != nil {
			b.Fatal(err)
		}
	}
}

func openBare(b *testing.B, path string) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT) STRICT`); err != nil {
		b.Fatal(err)
	}
	return db
}
