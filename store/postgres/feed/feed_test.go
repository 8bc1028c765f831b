package feed_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/feed"
	"evrun/store/postgres/postgrestest"
	"evrun/store/postgres/reads"
	"evrun/store/postgres/schema"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// database is an empty store, with one handler.
type database struct {
	t    *testing.T
	dsn  string
	pool *pgxpool.Pool
}

func newDatabase(t *testing.T) *database {
	d := &database{t: t, dsn: postgrestest.Database(t)}
	c, err := pgx.Connect(t.Context(), d.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := schema.Migrate(t.Context(), c, func() string { return "abcdefgh" }); err != nil {
		t.Fatal(err)
	}
	d.pool = d.newPool()
	d.exec(`INSERT INTO evrun.handlers (name, active, since) VALUES ('h', true, 0)`)
	return d
}

func (d *database) newPool() *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(d.dsn)
	if err != nil {
		d.t.Fatal(err)
	}
	config.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(pool.Close)
	return pool
}

func (d *database) exec(query string, args ...any) {
	d.t.Helper()
	if _, err := d.pool.Exec(context.Background(), query, args...); err != nil {
		d.t.Fatal(err)
	}
}

// process is one that shares the store, with what it was told.
type process struct {
	*feed.Feed
	d *database

	mu      sync.Mutex
	seen    []int64
	runs    map[int64]int
	foreign []store.Foreign
	peers   int
}

func (d *database) process() *process {
	d.t.Helper()
	p := &process{d: d, runs: map[int64]int{}}
	pool := d.newPool()
	reader, err := reads.Open(d.t.Context(), pool.Config(), "abcdefgh")
	if err != nil {
		d.t.Fatal(err)
	}
	p.Feed, err = feed.New(d.t.Context(), feed.Options{
		Pool: pool, Reader: reader, WantRuns: func() bool { return true },
		OnCommit: func(c store.Commit) {
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, e := range c.Events {
				p.seen = append(p.seen, e.Sequence)
			}
			for i := range c.Runs {
				p.runs[c.Runs[i].Sequence]++
			}
		},
		OnForeign: func(c store.Foreign) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.foreign = append(p.foreign, c)
		},
		OnPeers: func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.peers++
		},
		Warn: func(note string) { d.t.Log(note) },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		p.Close()
		_ = reader.Close()
	})
	return p
}

// append accepts n events as the store does, and returns them.
func (p *process) append(n int) []*events.Event {
	ctx := context.Background()
	var head int64
	now := time.Now().UnixMicro()
	err := p.d.pool.QueryRow(ctx, `WITH j AS (UPDATE evrun.journal SET head = head + $1 RETURNING head),
		e AS (INSERT INTO evrun.events (sequence, id, source, type, time, accepted_at)
			SELECT head - $1 + i, 'e' || (head - $1 + i), 's', 't', $2, $2 FROM j, generate_series(1, $1::bigint) i)
		SELECT head FROM j`, n, now).Scan(&head)
	if err != nil {
		p.d.t.Error(err)
		return nil
	}
	evs := make([]*events.Event, n)
	for i := range evs {
		evs[i] = &events.Event{ID: fmt.Sprint("e", head), Source: "s", Type: "t", Sequence: head - int64(n-1-i)}
	}
	return evs
}

// has reports whether the process has seen all events up to a sequence, in their order and once.
func (p *process) has(head int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, sequence := range p.seen {
		if sequence != int64(i+1) {
			p.d.t.Fatalf("event %d was published after %d others", sequence, i)
		}
	}
	return int64(len(p.seen)) == head
}

func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > within {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

func TestEveryProcessPublishesAllEventsInTheirOrder(t *testing.T) {
	d := newDatabase(t)
	all := []*process{d.process(), d.process(), d.process()}
	const rounds, each = 60, 3
	var writing sync.WaitGroup
	for _, p := range all {
		for range 2 { // two that write at the same time
			writing.Go(func() {
				for i := range rounds {
					evs := p.append(each)
					if len(evs) == 0 {
						return
					}
					p.Committed(feed.Own{Commit: store.Commit{Events: evs}})
					p.mu.Lock()
					if n := len(p.seen); n == 0 || p.seen[n-1] < evs[each-1].Sequence {
						t.Error("a call returned before its events were published")
					}
					p.mu.Unlock()
					if i == rounds/2 { // the server ends connections: some notifications are lost
						_, _ = d.pool.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN evrun'`)
					}
				}
			})
		}
	}
	writing.Wait()
	for i, p := range all {
		eventually(t, 3*time.Second, fmt.Sprintf("process %d has all", i), func() bool { return p.has(3 * 2 * rounds * each) })
	}
}

func TestEventsOfOthersArriveSoon(t *testing.T) {
	d := newDatabase(t)
	a, b := d.process(), d.process()
	a.Committed(feed.Own{Commit: store.Commit{Events: a.append(1)}})
	eventually(t, 3*time.Second, "the first has arrived", func() bool { return b.has(1) })
	began := time.Now()
	a.Committed(feed.Own{Commit: store.Commit{Events: a.append(1)}})
	eventually(t, 3*time.Second, "the second has arrived", func() bool { return b.has(2) })
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("it took %v: no notification", took)
	}
	// Nobody says anything of these.
	b.append(2)
	eventually(t, 3*time.Second, "both have found them", func() bool { return a.has(4) && b.has(4) })
}

func TestOthersHearOfRunsAndChanges(t *testing.T) {
	d := newDatabase(t)
	a, b := d.process(), d.process()
	evs := a.append(3000)
	a.Committed(feed.Own{Commit: store.Commit{Events: evs}})
	d.exec(`INSERT INTO evrun.runs (sequence, handler, state, attempt, started_at) SELECT i, 1, 3, 1, 0 FROM generate_series(1, 3000) i`)
	var keys []feed.Key
	for _, e := range evs {
		keys = append(keys, feed.Key{Handler: 1, Sequence: e.Sequence})
	}
	a.Committed(feed.Own{Changed: keys})
	eventually(t, 3*time.Second, "the runs have arrived", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.runs) == 3000
	})
	statement, args, err := a.Record(store.Foreign{Runs: []store.Run{{HandlerID: 1, Sequence: 7}}, Schedules: true})
	if err != nil {
		t.Fatal(err)
	}
	// A change with a smaller number that becomes visible later.
	late, err := d.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lateStatement, lateArgs, err := a.Record(store.Foreign{Tokens: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Exec(t.Context(), lateStatement, lateArgs...); err != nil {
		t.Fatal(err)
	}
	d.exec(statement, args...)
	a.Committed(feed.Own{Told: true})
	heard := func(of func(store.Foreign) bool) func() bool {
		return func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			for _, f := range b.foreign {
				if of(f) {
					return true
				}
			}
			return false
		}
	}
	eventually(t, 3*time.Second, "the change has arrived", heard(func(f store.Foreign) bool {
		return f.Schedules && !f.Handlers && len(f.Runs) == 1 && f.Runs[0].Sequence == 7 && f.Runs[0].Handler == "h"
	}))
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, 3*time.Second, "the late change has arrived", heard(func(f store.Foreign) bool { return f.Tokens }))
	if a.mu.Lock(); len(a.foreign) != 0 {
		t.Errorf("a process was told of its own changes: %+v", a.foreign)
	}
	a.mu.Unlock()
	a.Peers()
	eventually(t, 3*time.Second, "the peers have heard", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.peers > 1
	})
}

func TestAProcessThatNobodyTellsAnythingTellsOthers(t *testing.T) {
	d := newDatabase(t)
	b := d.process()
	pool := d.newPool()
	reader, err := reads.Open(t.Context(), pool.Config(), "abcdefgh")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	eventually(t, 3*time.Second, "it listens", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.peers > 0 })
	quiet, err := feed.New(t.Context(), feed.Options{Pool: pool, Reader: reader})
	if err != nil {
		t.Fatal(err)
	}
	evs := b.append(1)
	began := time.Now()
	quiet.Committed(feed.Own{Commit: store.Commit{Events: evs}})
	quiet.Close()
	eventually(t, 3*time.Second, "the event has arrived", func() bool { return b.has(1) })
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("it took %v: no notification", took)
	}
}
