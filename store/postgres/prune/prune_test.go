package prune

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store"
	"evrun/store/postgres/postgrestest"
	"evrun/store/postgres/schema"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// direct is a transaction without the store around it.
type direct struct {
	ctx context.Context
	pgx.Tx
}

func (d direct) Exec(query string, args ...any) (int64, error) {
	tag, err := d.Tx.Exec(d.ctx, query, args...)
	return tag.RowsAffected(), err
}

func (d direct) Query(query string, args ...any) (pgx.Rows, error) {
	return d.Tx.Query(d.ctx, query, args...)
}

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// made makes a store with a handler h that has seen everything, and n events, each with a run that has succeeded.
func made(t *testing.T, n int) (*pgxpool.Pool, *Pruner) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	c, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if err := schema.Migrate(t.Context(), c.Conn(), func() string { return "aaaaaaaa" }); err != nil {
		t.Fatal(err)
	}
	exec(t, pool, `WITH h AS (INSERT INTO evrun.handlers (name, active, patterns, since) VALUES ('h', true, '["a.b"]', 0) RETURNING id)
		INSERT INTO evrun.shares (handler, slots, low_water) SELECT id, -1, $1 FROM h`, n)
	exec(t, pool, `INSERT INTO evrun.events (sequence, id, source, type, time, accepted_at, data)
		SELECT i, 'e' || i, '/x', 'a.b', 0, $2, '{}' FROM generate_series(1, $1::bigint) i`, n, now.Add(-2*time.Hour).UnixMicro())
	exec(t, pool, `INSERT INTO evrun.runs (sequence, handler, state, attempt, started_at, finished_at) SELECT i, 1, 3, 1, 0, 0 FROM generate_series(1, $1::bigint) i`, n)
	exec(t, pool, `UPDATE evrun.journal SET head = $1`, n)
	return pool, New(Options{Pool: pool, Now: func() time.Time { return now }, Write: func(ctx context.Context, do func(Tx) error) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return do(direct{ctx, tx}) })
	}})
}

func exec(t *testing.T, pool *pgxpool.Pool, query string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func number(t *testing.T, pool *pgxpool.Pool, query string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

var old = store.PruneQuery{Until: now.Add(-time.Hour), Keys: true}

// What changes between a look and its deletion is noticed, and nothing is deleted.
func TestWhatHasChangedSinceItWasLookedAtStays(t *testing.T) {
	for what, change := range map[string]string{
		"a run was retried":        `UPDATE evrun.runs SET state = 2 WHERE sequence = 2`,
		"a joined run was retried": `UPDATE evrun.runs SET state = 1 WHERE sequence = 5`,
		"a handler came": `WITH h AS (INSERT INTO evrun.handlers (name, active, since) VALUES ('new', true, 0) RETURNING id)
			INSERT INTO evrun.shares (handler, slots, low_water) SELECT id, -1, 9 FROM h`,
		"a handler was paused":         `UPDATE evrun.handlers SET paused = true`,
		"another daemon pruned events": `DELETE FROM evrun.events WHERE sequence = 3`,
	} {
		t.Run(what, func(t *testing.T) {
			pool, p := made(t, 4)
			exec(t, pool, `UPDATE evrun.runs SET state = 7 WHERE sequence = 2`)
			exec(t, pool, `UPDATE evrun.runs SET state = 4, joined = 5 WHERE sequence = 4`)
			exec(t, pool, `INSERT INTO evrun.runs (sequence, handler, state, attempt, started_at) VALUES (5, 1, 3, 1, 0)`)
			exec(t, pool, `INSERT INTO evrun.events (sequence, id, source, type, time, accepted_at) VALUES (5, 'young', '/x', 'z', 0, $1)`, now.UnixMicro())
			l, err := p.look(t.Context(), old)
			if err != nil || len(l.Going) != 4 {
				t.Fatalf("%d chains, %v", len(l.Going), err)
			}
			exec(t, pool, change)
			if err := p.delete(t.Context(), l); !errors.Is(err, errMoved) {
				t.Errorf("the deletion: %v", err)
			}
			if n := number(t, pool, `SELECT count(*) FROM evrun.runs`); n != 5 {
				t.Errorf("%d runs are left", n)
			}
			if _, err := p.Prune(t.Context(), old); err != nil {
				t.Errorf("the next look: %v", err)
			}
		})
	}
}

// Several daemons prune at the same time: each event goes once, and is counted once.
func TestDaemonsPruneBesideEachOther(t *testing.T) {
	const n = 3000
	pool, first := made(t, n)
	var all sync.WaitGroup
	for range 3 {
		p := New(first.o)
		all.Go(func() {
			for q := old; ; {
				step, err := p.Prune(t.Context(), q)
				if err != nil {
					t.Error(err)
					return
				}
				if q.After = step.Reached; step.End {
					return
				}
			}
		})
	}
	all.Wait()
	for query, want := range map[string]int{
		`SELECT count(*) FROM evrun.events`: 0, `SELECT count(*) FROM evrun.runs`: 0, `SELECT count(*) FROM evrun.pruned_keys`: n,
		`SELECT events FROM evrun.pruning`: n, `SELECT runs FROM evrun.pruning`: n, `SELECT keys FROM evrun.pruning`: n,
		`SELECT scanned FROM evrun.pruning`: n,
	} {
		if got := number(t, pool, query); got != want {
			t.Errorf("%s: %d, not %d", query, got, want)
		}
	}
}

// A registration that goes on holds a deletion up, and no longer.
func TestDeletionsWaitForARegistration(t *testing.T) {
	pool, p := made(t, 10)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock(1702261365, 1)`); err != nil { // as package registry does
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := p.Prune(context.Background(), old)
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if _, err := tx.Exec(t.Context(), `UPDATE evrun.shares SET low_water = 5`); err != nil { // a takeover lowers the mark
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `UPDATE evrun.handlers SET predecessors = '[{"name":"was","head":10}]'`); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `DELETE FROM evrun.runs WHERE sequence > 7`); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := number(t, pool, `SELECT count(*) FROM evrun.events`); n != 3 {
		t.Errorf("%d events are left", n)
	}
}

func TestOldKeysAreForgottenPageByPage(t *testing.T) {
	pool, p := made(t, 0)
	exec(t, pool, `INSERT INTO evrun.pruned_keys SELECT decode(lpad(to_hex(i), 8, '0'), 'hex'), i, i FROM generate_series(1, 5000) i`)
	exec(t, pool, `UPDATE evrun.pruning SET keys = 5000`)
	steps, sum := 0, int64(0)
	for after := []byte(nil); ; {
		next, n, err := p.ForgetKeys(t.Context(), after, time.Unix(4001, 0))
		if err != nil {
			t.Fatal(err)
		}
		steps++
		sum += n
		if after = next; next == nil {
			break
		}
	}
	if got := fmt.Sprint(steps, sum, number(t, pool, `SELECT keys FROM evrun.pruning`), number(t, pool, `SELECT count(*) FROM evrun.pruned_keys`)); got != "3 4000 1000 1000" {
		t.Errorf("steps, forgotten, counted, left: %s", got)
	}
}
