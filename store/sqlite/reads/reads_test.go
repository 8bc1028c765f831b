package reads

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/guard"
	"evrun/store/sqlite/schema"
	"evrun/store/storetest"
)

// open returns a reader of a new store to which script was done.
func open(t *testing.T, script string) *Reader {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evrun.db")
	c, err := conn.Open(conn.Writer(path, "NORMAL"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := schema.Migrate(c); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(script); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path, "aaaaaaaa", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// TestNoReadOfOurOwnLastsForever: one of evrun's own queries that does not end is stopped.
func TestNoReadOfOurOwnLastsForever(t *testing.T) {
	storetest.LongOnly(t) // 5 seconds each
	r := open(t, "")
	const endless = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c`
	var n int64
	if err := r.db.QueryRowContext(t.Context(), endless).Scan(&n); !errors.Is(err, store.ErrTimeout) {
		t.Errorf("a row: %v", err)
	}
	rows, err := r.db.QueryContext(t.Context(), endless)
	if err == nil {
		defer rows.Close()
		for rows.Next() {
		}
		err = rows.Err()
	}
	if !errors.Is(err, store.ErrTimeout) {
		t.Errorf("rows: %v", err)
	}
}

// Without a deadline a read has a default limit; with one it has all the time until then.
func TestAReadWithoutADeadlineIsLimited(t *testing.T) {
	r := open(t, "")
	r.user.limit.Wall = 10 * time.Millisecond
	counting, err := guard.Parse(`WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < :n) SELECT count(*) FROM c`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(t.Context(), counting, []any{int64(1) << 40}); !errors.Is(err, store.ErrTimeout) {
		t.Errorf("without a deadline: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	const long = 300_000 // takes more than 10 ms
	if got, err := r.Read(ctx, counting, []any{int64(long)}); err != nil || got.Rows[0][0] != int64(long) {
		t.Errorf("with a deadline: %v, %v", got.Rows, err)
	}
}

// Beyond a bound, Backlog counts all events as waiting without checking them.
func TestABacklogIsCountedUpToABound(t *testing.T) {
	r := open(t, `INSERT INTO events (sequence, id, source, type, time, accepted_at) VALUES
		(1, '1', '/t', 'other', 1, 1), (2, '2', '/t', 'other', 1, 1), (3, '3', '/t', 'other', 1, 1), (4, '4', '/t', 'other', 1, 1), (5, '5', '/t', 'other', 1, 1)`)
	on := []events.Pattern{events.MustPattern("a")}
	for mark, want := range map[int64]store.Backlog{
		5 - maxCounted: {}, 2 - maxCounted: {Waiting: 3, AtMost: true}, 0: {}, 5: {},
	} {
		if got, err := r.Backlog(t.Context(), store.Consumer{Name: "h", LowWater: mark, On: on}, 0); err != nil || got != want {
			t.Errorf("mark %d: %+v, %v, want %+v", mark, got, err, want)
		}
	}
}
