package conn

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/store"
)

func open(t *testing.T, address string) *Conn {
	t.Helper()
	c, err := Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestErrorsAreTranslatedByTheirCodes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x y?.db")
	w := open(t, Writer(path, "full"))
	if err := w.Exec(`CREATE TABLE t (a UNIQUE, b INTEGER PRIMARY KEY, c NOT NULL DEFAULT 1); INSERT INTO t (a) VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	kinds := []error{store.ErrFull, store.ErrBusy, store.ErrConflict, store.ErrNotStore, store.ErrReadOnly, store.ErrBroken}
	for _, c := range []struct {
		name   string
		err    error
		want   error // nil: none of the store's
		aborts bool
	}{
		{"a unique key", w.Exec(`INSERT INTO t (a) VALUES (1)`), store.ErrConflict, false},
		{"a primary key", w.Exec(`INSERT INTO t (b) VALUES (1)`), store.ErrConflict, false},
		{"another constraint", w.Exec(`INSERT INTO t (c) VALUES (NULL)`), nil, false},
		{"a syntax error", w.Exec(`SELEKT`), nil, false},
		{"a full file", w.Exec(`PRAGMA max_page_count = 1; CREATE TABLE u AS SELECT randomblob(100000)`), store.ErrFull, true},
		{"a reader that writes", open(t, Reader(path)).Exec(`DELETE FROM t`), store.ErrReadOnly, true},
		{"a file that does not exist", func() error { _, err := Open(User(path+"none", false)); return err }(), store.ErrReadOnly, true},
		{"another file", open(t, User(text, true)).Exec(`CREATE TABLE t (x)`), store.ErrNotStore, false},
		{"a locked file", func() error {
			other := open(t, Writer(path, "normal"))
			if err := errors.Join(other.Exec(`PRAGMA busy_timeout = 0`), w.Exec(`BEGIN IMMEDIATE`)); err != nil {
				return err
			}
			defer func() { _ = w.Exec(`ROLLBACK`) }()
			return other.Exec(`BEGIN IMMEDIATE`)
		}(), store.ErrBusy, true},
	} {
		if c.err == nil || Aborts(c.err) != c.aborts {
			t.Errorf("%s: %v, aborts: %v", c.name, c.err, Aborts(c.err))
		}
		for _, kind := range kinds {
			if errors.Is(c.err, kind) != (kind == c.want) {
				t.Errorf("%s: %v is %v: %v", c.name, c.err, kind, errors.Is(c.err, kind))
			}
		}
	}
	if Translate(nil) != nil || Aborts(nil) || Translate(store.ErrClosed) != store.ErrClosed {
		t.Error("what is no error of SQLite's is changed")
	}
}

func TestTheConnectionsSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	pragma := func(c *Conn, name string) string {
		t.Helper()
		pairs, err := c.Pairs(`SELECT CAST(` + name + ` AS TEXT) FROM pragma_` + name)
		if err != nil || len(pairs) != 1 {
			t.Fatal(name, pairs, err)
		}
		return pairs[0][0]
	}
	full, normal := open(t, Writer(path, "full")), open(t, Writer(path, "normal"))
	reader, user := open(t, Reader(path)), open(t, User(path, false))
	for _, c := range []struct {
		conn       *Conn
		name, want string
	}{
		{full, "synchronous", "2"}, {normal, "synchronous", "1"}, {full, "journal_mode", "wal"}, {full, "foreign_keys", "1"}, {full, "trusted_schema", "0"},
		{full, "query_only", "0"}, {reader, "query_only", "1"}, {reader, "trusted_schema", "0"}, {user, "foreign_keys", "1"}, {user, "query_only", "0"}, {user, "trusted_schema", "0"},
	} {
		if got := pragma(c.conn, c.name); got != c.want {
			t.Errorf("%s is %s, want %s", c.name, got, c.want)
		}
	}
}
