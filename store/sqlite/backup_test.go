package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/sqlite/copies"
	"evrun/store/storetest"
)

// journal returns all stored events up to a sequence, as one text.
func journal(t *testing.T, path string, upTo int64) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT sequence || ' ' || id || ' ' || source || ' ' || type || ' ' || accepted_at || ' ' || ifnull(data, '') FROM events
		WHERE sequence <= ? ORDER BY sequence`, upTo)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		all.WriteString(row + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// backedUp makes a backup, and checks all of it.
func backedUp(t *testing.T, s *sqlite.Store, path string) (copied string, sequence int64) {
	t.Helper()
	copied = filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(copied, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sequence, err := s.Backup(t.Context(), copied, nil)
	if err != nil {
		t.Fatal(err)
	}
	has, err := copies.Check(t.Context(), copied, true)
	if err != nil {
		t.Fatal(err)
	}
	if has.Sequence != sequence || has.ID != s.ID() || has.Events == 0 || has.First.IsZero() || has.Last.Before(has.First) {
		t.Errorf("the copy up to #%d has %+v", sequence, has)
	}
	if want, got := journal(t, path, sequence), journal(t, copied, 1<<62); got != want {
		t.Errorf("the copy up to #%d has other events than the store", sequence)
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if _, err := os.Stat(copied + suffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the copy has a %s: %v", suffix, err)
		}
	}
	return copied, sequence
}

// fill appends n events with 2 KB each.
func fill(t *testing.T, s *sqlite.Store, n int) {
	t.Helper()
	var evs []*events.Event
	for i := range n {
		evs = append(evs, &events.Event{ID: fmt.Sprint(i), Source: "/before", Type: "a.b", Data: []byte(strings.Repeat("y", 2000))})
	}
	if _, err := s.Append(t.Context(), evs); err != nil {
		t.Fatal(err)
	}
}

// storm appends events until calm is called; disturb is called between them.
func storm(t *testing.T, s *sqlite.Store, disturb func(i int)) (calm func()) {
	t.Helper()
	data := []byte(`"` + strings.Repeat("x", 3000) + `"`)
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for w := range 3 {
		writing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				e := &events.Event{ID: fmt.Sprint(w, "-", i), Source: "/test", Type: "a.b", DataContentType: "application/json", Data: data}
				if _, err := s.Append(context.Background(), []*events.Event{e}); err != nil {
					t.Error(err)
					return
				}
				disturb(i)
			}
		})
	}
	return func() {
		close(stop)
		writing.Wait()
	}
}

func TestABackupIsEqualAtItsSequence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	s := open(t, path, sqlite.Options{})
	fill(t, s, storetest.Size(t, "", 3000, 30000))
	calm := storm(t, s, func(int) {})
	defer calm()
	for range 3 {
		backedUp(t, s, path)
	}
}

// A transaction that is undone has the copy begin again. It must end all the same.
func TestABackupEndsBesideTransactionsThatAreUndone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	s := open(t, path, sqlite.Options{})
	fill(t, s, 3000)
	calm := storm(t, s, func(i int) {
		lost := &events.Event{ID: fmt.Sprint("lost", i), Source: "/test", Type: "a.b", Target: "nobody"}
		if _, err := s.Append(context.Background(), []*events.Event{{ID: fmt.Sprint("undone", i), Source: "/test", Type: "a.b"}, lost}); !errors.Is(err, store.ErrNotActive) {
			t.Error(err)
		}
	})
	defer calm()
	for range 3 {
		backedUp(t, s, path)
	}
}

func TestAStoreIsCopiedFromOutside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	s := open(t, path, sqlite.Options{})
	if _, err := s.Append(t.Context(), []*events.Event{{ID: "1", Source: "/test", Type: "a.b"}}); err != nil {
		t.Fatal(err)
	}
	reader, err := sqlite.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, from := range []*sqlite.Store{s, reader} {
		if _, sequence := backedUp(t, from, path); sequence != 1 {
			t.Errorf("up to #%d", sequence)
		}
	}
	if _, err := sqlite.Backup(t.Context(), path+"none", path+"copy", nil); err == nil {
		t.Error("a copy of no store")
	}
}

// A store that ends while a backup is made ends it.
func TestAStoreThatEndsEndsItsBackup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	fill(t, s, 500)
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(copied, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = s.Backup(t.Context(), copied, func(done, _ int64) {
		if stop(); done > 0 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
			ended <- nil
		}
	})
	if !errors.Is(err, store.ErrClosed) {
		t.Errorf("the backup: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the store was not closed: %v", err)
	}
}
