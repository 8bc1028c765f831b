// Package sqlitetest has what benchmarks compare the store with.
package sqlitetest

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"evrun/events"
)

// BareInserts is what the benchmarks compare with: the three rows of an event that registers a user (the event, its run, the user), each by a
// prepared INSERT of its own through database/sql, per events a transaction, with synchronous=FULL, on a new file in the test's directory. There is no
// engine: nobody waits for an event, nothing is decoded, and the tables have only what the work needs. It returns events a second.
func BareInserts(t testing.TB, n, per int) float64 {
	t.Helper()
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, table := range []string{
		`CREATE TABLE events (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, source TEXT NOT NULL, time INTEGER NOT NULL, data BLOB) STRICT`,
		`CREATE TABLE runs (seq INTEGER NOT NULL, handler INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL, at INTEGER NOT NULL,
			PRIMARY KEY (seq, handler)) STRICT, WITHOUT ROWID`,
		`CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, created_at INTEGER NOT NULL, event_id TEXT) STRICT`,
	} {
		if _, err := c.ExecContext(ctx, table); err != nil {
			t.Fatal(err)
		}
	}
	prepare := func(query string) *sql.Stmt {
		st, err := c.PrepareContext(ctx, query)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	event := prepare(`INSERT INTO events (id, type, source, time, data) VALUES (?,?,?,?,?)`)
	run := prepare(`INSERT INTO runs VALUES (?,?,?,?,?)`)
	user := prepare(`INSERT INTO users (email, name, created_at, event_id) VALUES (?,?,?,?)`)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = events.NewID()
	}
	data := []byte(`{"name":"Ada Lovelace","email":"user-12345@example.com","plan":"pro"}`)
	begin := time.Now()
	for done := 0; done < n; {
		tx, err := c.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		exec := func(st *sql.Stmt, args ...any) {
			if _, err := st.Exec(args...); err != nil {
				t.Fatal(err)
			}
		}
		inEvents, inRuns, inUsers := tx.Stmt(event), tx.Stmt(run), tx.Stmt(user)
		now := time.Now().UnixMicro()
		for range min(per, n-done) {
			exec(inEvents, ids[done], "user.registered", "/bench", now, data)
			exec(inRuns, done, 1, 3, 1, now)
			exec(inUsers, fmt.Sprintf("user-%d@example.com", done), "Ada Lovelace", now, ids[done])
			done++
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	return float64(n) / time.Since(begin).Seconds()
}
