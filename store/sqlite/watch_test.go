package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"evrun/events"
	"evrun/store"
)

// Writes to a removed file would be lost: the writer ends, and acknowledges nothing.
func TestAReplacedStoreEndsTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background()); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("Run: %v", err)
	}
	if _, err := s.Append(t.Context(), []*events.Event{{ID: "1", Source: "/t", Type: "a"}}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a write: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-wal"); err != nil { // it may belong to another store now
		t.Errorf("the log was removed: %v", err)
	}
}
