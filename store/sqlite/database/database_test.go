package database

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/sqlite/guard"
)

func parse(t *testing.T, text string) *store.Statement {
	t.Helper()
	s, err := sqlite.ParseStatement(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func TestADatabaseBesideTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other file?.db")
	if _, err := Open(path, false); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no file: %v", err)
	}
	d, err := Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	create := []*store.Statement{parse(t, `CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, n)`), parse(t, `CREATE TABLE IF NOT EXISTS evrun_x (x)`)}
	for range 2 {
		if err := d.Migrate(t.Context(), create); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Migrate(t.Context(), []*store.Statement{parse(t, `CREATE TABLE half (x)`), parse(t, `CREATE TABLE events (x)`)}); !errors.Is(err, store.ErrStatement) {
		t.Errorf("a second table of the name: %v", err)
	}
	insert := parse(t, `INSERT INTO events VALUES (:id, :n)`)
	r, err := d.Exec(t.Context(), insert, []any{"a", int64(1)})
	if err != nil || r.Changes != 1 {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := d.Exec(t.Context(), insert, []any{"a", int64(2)}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the same key: %v", err)
	}
	stopped, cancel := context.WithTimeoutCause(t.Context(), 30*time.Millisecond, errors.New("that is enough"))
	defer cancel()
	for _, text := range []string{`INSERT INTO events (id) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c`,
		`WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x = 1 OR x < 0`} {
		if _, err := d.Exec(stopped, parse(t, text), nil); err == nil || !strings.Contains(err.Error(), "that is enough") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if r, err = d.Exec(t.Context(), parse(t, `SELECT id, n, (SELECT count(*) FROM sqlite_schema WHERE name = 'half') FROM events`), nil); err != nil || len(r.Rows) != 1 || r.Rows[0][1] != int64(1) || r.Rows[0][2] != int64(0) {
		t.Errorf("%v, %v", r, err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Exec(t.Context(), insert, []any{"b", nil}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestALockedDatabaseIsBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	first, err := Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := Open(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := first.Migrate(t.Context(), []*store.Statement{parse(t, `CREATE TABLE t (x)`)}); err != nil {
		t.Fatal(err)
	}
	insert := parse(t, `INSERT INTO t VALUES (1)`)
	locked := first.(*Database).inTransaction(t.Context(), func(*guard.Statements) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := second.Exec(ctx, insert, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while it waits: %v", err)
		}
		if err := second.(*Database).inTurn(t.Context(), func(u *guard.Statements) error { return u.Conn().Exec(`PRAGMA busy_timeout = 0`) }); err != nil {
			t.Error(err)
		}
		if _, err := second.Exec(t.Context(), insert, nil); !errors.Is(err, store.ErrBusy) {
			t.Errorf("locked: %v", err)
		}
		return nil
	})
	if locked != nil {
		t.Error(locked)
	}
	if _, err := second.Exec(t.Context(), insert, nil); err != nil {
		t.Errorf("free again: %v", err)
	}
}

func TestStatementsOfADatabaseTakeTurns(t *testing.T) {
	d, err := Open(filepath.Join(t.TempDir(), "other.db"), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Migrate(t.Context(), []*store.Statement{parse(t, `CREATE TABLE t (x)`)}); err != nil {
		t.Fatal(err)
	}
	insert := parse(t, `INSERT INTO t VALUES (:x)`)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := d.Exec(t.Context(), insert, []any{int64(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if r, err := d.Exec(t.Context(), parse(t, `SELECT count(DISTINCT x) FROM t`), nil); err != nil || r.Rows[0][0] != int64(8) {
		t.Errorf("%v, %v", r, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestAStoreIsNoDatabaseOfTheUsers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "evrun.db")
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, link := range []string{"symbolic", "hard"} {
		link = filepath.Join(dir, link)
		if err := map[bool]func(string, string) error{true: os.Symlink, false: os.Link}[strings.HasSuffix(link, "symbolic")](path, link); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"evrun.db", "symbolic", "hard"} {
		// In WAL mode a hard link can't be opened as a database: its log has another name.
		if _, err := Open(filepath.Join(dir, name), true); err == nil || name != "hard" && !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", name, err)
		}
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(text, true); err == nil || !strings.HasSuffix(err.Error(), "it is not an SQLite database") {
		t.Errorf("a text: %v", err)
	}
	if _, err := Open(dir, true); err == nil || !strings.HasSuffix(err.Error(), "but a directory") {
		t.Errorf("a directory: %v", err)
	}
}
