package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/sqlite/sqlitetest"
	"evrun/store/storetest"
)

func TestStoreKeepsItsPromises(t *testing.T) {
	storetest.Run(t, storetest.Driver{InFile: true, Parse: sqlite.ParseStatement, Bytes: "BLOB", Open: func(t *testing.T, opt store.Options) store.Store {
		return open(t, filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{Options: opt})
	}})
}

// open opens a store and runs it until the test ends.
func open(t testing.TB, path string, opt sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		sqlitetest.CheckBlocks(t, path) // whatever the test did
	})
	return s
}

// change runs SQL on the closed database at path, as another program would.
func change(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatAreNoStoreOfOurs(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want error
	}{
		"from a newer evrun": {func(t *testing.T, path string) {
			s, err := sqlite.Open(path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			change(t, path, `PRAGMA user_version = 99`)
		}, store.ErrNewer},
		"another program's database": {func(t *testing.T, path string) { change(t, path, `CREATE TABLE t (x)`) }, store.ErrNotStore},
		"no database": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 100), 0o600); err != nil {
				t.Fatal(err)
			}
		}, store.ErrNotStore},
		"a directory": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, store.ErrNotStore},
		"open elsewhere": {func(t *testing.T, path string) { open(t, path, sqlite.Options{}) }, store.ErrLocked},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "evrun.db")
			c.make(t, path)
			if _, err := sqlite.Open(path, sqlite.Options{}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestReadOnlyFolderIsAnError(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere: this needs another user")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(filepath.Join(dir, "evrun.db"), sqlite.Options{}); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("got %v", err)
	}
}

func TestReaderWorksBesideAndAfterTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	if _, err := sqlite.OpenReader(path); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no file: %v", err)
	}
	t.Run("beside", func(t *testing.T) {
		s := open(t, path, sqlite.Options{})
		if _, err := s.Append(t.Context(), []*events.Event{{ID: "1", Source: "/t", Type: "a"}}); err != nil {
			t.Fatal(err)
		}
		head(t, path, 1)
	})
	head(t, path, 1)
}

func head(t *testing.T, path string, want int64) {
	t.Helper()
	r, err := sqlite.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := r.Head(t.Context()); got != want || err != nil {
		t.Errorf("head %d, %v", got, err)
	}
	if _, err := r.Append(t.Context(), nil); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("append: %v", err)
	}
}
