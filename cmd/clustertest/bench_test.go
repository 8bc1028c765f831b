package clustertest

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/handlers"
	"evrun/tasks/taskstest"
)

// These measure the engine on PostgreSQL, each round beside bare inserts of the same rows into the same server, which waits for the disk:
//
//	go test -run - -bench . -benchtime 5x ./cmd/clustertest
//
// Daemons are in the process of the benchmark, each with a store, a bus and a runner of its own.

// daemon is what is below cmd in a daemon.
type daemon struct {
	store   *postgres.Store
	emitter *emitter.Emitter
}

// begin starts daemons with the handlers that make returns, and returns when they share the work.
func begin(b *testing.B, dsn string, n int, handlers func() []*tasks.Handler) (list []*daemon) {
	b.Helper()
	for i := range n {
		bus := events.NewBus()
		s, err := postgres.Open(b.Context(), dsn, postgres.Options{Options: store.Options{
			OnCommit: func(c store.Commit) { bus.Publish(c.Events) },
			Node:     &store.Node{Name: fmt.Sprint("bench", i)},
		}})
		if err != nil {
			b.Fatal(err)
		}
		em := emitter.New(s, 0)
		r := tasks.NewRunner(tasks.Options{Store: s, Bus: bus, Emitter: em, Log: slog.New(slog.DiscardHandler), Handlers: handlers(), Grace: time.Second})
		ctx, stop := context.WithCancel(context.Background())
		running, stopRunner := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() {
			if err := s.Run(ctx); err != nil {
				b.Error(err)
			}
		})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := r.Run(running); err != nil {
				b.Error(err)
			}
		}()
		b.Cleanup(func() {
			stopRunner()
			<-ended
			stop()
			all.Wait()
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
		<-r.Ready()
		list = append(list, &daemon{s, em})
	}
	for { // until each has its part of the slots
		nodes, err := list[0].store.Nodes(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		held := 0
		for _, node := range nodes {
			for _, h := range node.Holdings {
				if h.Handler > 0 && h.Slots.Len() >= store.SlotCount/n {
					held++
				}
			}
		}
		if held >= n {
			return list
		}
		time.Sleep(20 * time.Millisecond) // other goroutines
	}
}

func saving(b *testing.B) func() []*tasks.Handler {
	return func() []*tasks.Handler {
		action, faults := handlers.Build("user.insert", map[string]any{"name": "${ data.name }", "email": "${ data.email }"}, handlers.Deps{})
		if len(faults) > 0 {
			b.Fatal(faults[0].Message)
		}
		p, err := events.ParsePattern("user.registered")
		if err != nil {
			b.Fatal(err)
		}
		return []*tasks.Handler{{Name: "save-user", On: []events.Pattern{p}, Kind: "user.insert", Action: action}}
	}
}

// slow is an action outside of evrun that takes 10 ms.
type slow struct{}

func (slow) Do(context.Context, *tasks.Delivery) (any, error) {
	time.Sleep(10 * time.Millisecond)
	return nil, nil
}

// bulk sends n events, 1,000 at a time, to the daemons in turns, by two senders each, and returns when the handlers have settled them.
func bulk(b *testing.B, list []*daemon, base, n int) {
	b.Helper()
	const chunk = 1000
	chunks := make(chan int)
	var senders sync.WaitGroup
	for _, d := range list {
		for range 2 {
			senders.Go(func() {
				for c := range chunks {
					evs := make([]*events.Event, chunk)
					for i := range evs {
						evs[i] = &events.Event{Type: "user.registered", Source: "/bench",
							Data: fmt.Appendf(nil, `{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}`, base+c*chunk+i)}
					}
					if _, err := d.emitter.Emit(context.Background(), evs...); err != nil {
						b.Error(err)
					}
				}
			})
		}
	}
	for c := range n / chunk {
		chunks <- c
	}
	close(chunks)
	senders.Wait()
	settled(b, list[0].store, int64(base+n))
}

// settled waits until the handler has a run on each event, and none is open.
func settled(b *testing.B, s *postgres.Store, head int64) {
	b.Helper()
	for {
		list, err := s.Handlers(b.Context(), "save-user")
		if err != nil || len(list) != 1 {
			b.Fatal(list, err)
		}
		if list[0].LowWater >= head {
			backlog, err := s.Backlog(b.Context(), list[0], 0)
			if err != nil {
				b.Fatal(err)
			}
			if backlog.Empty() {
				return
			}
		}
		time.Sleep(10 * time.Millisecond) // the handlers are at it
	}
}

// BenchmarkBulk: one daemon and three accept events, save a user for each, and settle. The metrics are medians of the rounds.
func BenchmarkBulk(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("daemons=%d", n), func(b *testing.B) {
			s := server(b)
			s.Exec(b, "postgres", "CREATE DATABASE bench")
			s.Exec(b, "postgres", "CREATE DATABASE bare")
			list := begin(b, s.DSN("bench"), n, saving(b))
			const round = 100_000
			var rate, bare, ratio taskstest.Rates
			done := 0
			for b.Loop() {
				limit := bareInserts(b, s.DSN("bare"), round)
				s.Exec(b, "bench", "CHECKPOINT")
				runtime.GC()
				begin := time.Now()
				bulk(b, list, done, round)
				done += round
				perSecond := round / time.Since(begin).Seconds()
				rate, bare, ratio = append(rate, perSecond), append(bare, limit), append(ratio, perSecond/limit)
			}
			b.ReportMetric(rate.Median(), "events/s")
			b.ReportMetric(bare.Median(), "bare/s")
			b.ReportMetric(ratio.Median(), "of-bare")
		})
	}
}

// BenchmarkSlow: a handler whose attempts take 10 ms, four at a time in each daemon.
func BenchmarkSlow(b *testing.B) {
	perSecond := map[int]float64{}
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("daemons=%d", n), func(b *testing.B) {
			s := server(b)
			s.Exec(b, "postgres", "CREATE DATABASE bench")
			list := begin(b, s.DSN("bench"), n, func() []*tasks.Handler {
				h := saving(b)()[0]
				h.Kind, h.Action, h.Concurrency = "slow", slow{}, 4
				return []*tasks.Handler{h}
			})
			const round = 6000
			var rate taskstest.Rates
			done := 0
			for b.Loop() {
				begin := time.Now()
				bulk(b, list, done, round)
				done += round
				rate = append(rate, round/time.Since(begin).Seconds())
			}
			b.ReportMetric(rate.Median(), "events/s")
			perSecond[n] = rate.Median()
		})
	}
	if perSecond[1] > 0 && perSecond[3] > 0 {
		b.Logf("three daemons did %.2f times as many as one", perSecond[3]/perSecond[1])
	}
}

// BenchmarkAcknowledgement: one caller with pauses of 10 ms, and between its events a bare insert, committed, by the same program; 100 of each a round.
func BenchmarkAcknowledgement(b *testing.B) {
	s := server(b)
	s.Exec(b, "postgres", "CREATE DATABASE bench")
	s.Exec(b, "postgres", "CREATE DATABASE bare")
	d := begin(b, s.DSN("bench"), 1, saving(b))[0]
	c := bareTables(b, s.DSN("bare"))
	if _, err := c.Prepare(b.Context(), "one", `INSERT INTO events VALUES ($1, $2, 'src', 'user.created', $3, $4)`); err != nil {
		b.Fatal(err)
	}
	var ours, bare []time.Duration
	one := func(i int) {
		time.Sleep(5 * time.Millisecond) // the caller's pause, half of it
		data := fmt.Appendf(nil, `{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}`, i)
		begin := time.Now()
		if _, err := d.emitter.Emit(b.Context(), &events.Event{Type: "user.registered", Source: "/bench", Data: data}); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(begin))
		time.Sleep(5 * time.Millisecond)
		begin = time.Now()
		if _, err := c.Exec(b.Context(), "one", int64(i), events.NewID(), begin.UnixMicro(), string(data)); err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(begin))
	}
	for b.Loop() {
		for range 100 {
			one(len(ours))
		}
	}
	slices.Sort(ours)
	slices.Sort(bare)
	middle := len(ours) / 2
	b.ReportMetric(float64(ours[middle].Microseconds()), "p50-µs")
	b.ReportMetric(float64(bare[middle].Microseconds()), "bare-p50-µs")
	b.ReportMetric(float64(ours[middle])/float64(bare[middle]), "of-bare")
}

// bareTables makes the three tables that an event's rows would be in without evrun.
func bareTables(b *testing.B, dsn string) *pgx.Conn {
	b.Helper()
	c, err := pgx.Connect(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close(context.Background()) })
	if _, err := c.Exec(b.Context(), `DROP TABLE IF EXISTS events, runs, users;
		CREATE TABLE events (sequence bigint PRIMARY KEY, id text NOT NULL, source text NOT NULL, type text NOT NULL, time bigint NOT NULL, data text NOT NULL, UNIQUE (id, source));
		CREATE TABLE runs (sequence bigint, handler text, state text NOT NULL, attempt int NOT NULL, started bigint NOT NULL, finished bigint NOT NULL, PRIMARY KEY (sequence, handler));
		CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, created_at bigint NOT NULL, event_id text NOT NULL)`); err != nil {
		b.Fatal(err)
	}
	return c
}

// bareInserts inserts the three rows of n events by one connection, 1,000 events in a transaction and a message, and returns how many events a second.
func bareInserts(b *testing.B, dsn string, n int) float64 {
	b.Helper()
	c := bareTables(b, dsn)
	for name, query := range map[string]string{
		"events": `INSERT INTO events SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])`,
		"users":  `INSERT INTO users (name, email, created_at, event_id) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[])`,
		"runs":   `INSERT INTO runs SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::bigint[])`,
	} {
		if _, err := c.Prepare(b.Context(), name, query); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := c.Exec(b.Context(), "CHECKPOINT"); err != nil {
		b.Fatal(err)
	}
	const chunk = 1000
	text := func(f func(i int) string) (list []string) {
		for i := range chunk {
			list = append(list, f(i))
		}
		return list
	}
	same := func(s string) []string { return text(func(int) string { return s }) }
	src, typ, name, handler, state := same("src"), same("user.created"), same("Ada Lovelace"), same("users"), same("done")
	attempt := make([]int32, chunk)
	begin := time.Now()
	for base := 0; base < n; base += chunk {
		seq, at := make([]int64, chunk), make([]int64, chunk)
		for i := range seq {
			seq[i], at[i], attempt[i] = int64(base+i), time.Now().UnixMicro(), 1
		}
		id := text(func(i int) string { return fmt.Sprint("id-", base+i) })
		email := text(func(i int) string { return fmt.Sprintf("user-%d@example.com", base+i) })
		data := text(func(i int) string {
			return fmt.Sprintf(`{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}`, base+i)
		})
		all := &pgx.Batch{}
		all.Queue("events", seq, id, src, typ, at, data)
		all.Queue("users", name, email, at, id)
		all.Queue("runs", seq, handler, state, attempt, at, at)
		if err := c.SendBatch(b.Context(), all).Close(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(begin).Seconds()
}
