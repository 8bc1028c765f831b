package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"evrun/store"
	"evrun/store/storetest"
)

// TestNoReadOfOurOwnLastsForever: one of evrun's own queries that does not end is stopped.
func TestNoReadOfOurOwnLastsForever(t *testing.T) {
	storetest.LongOnly(t) // 5 seconds each
	s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const endless = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c`
	var n int64
	if err := s.readers.QueryRowContext(t.Context(), endless).Scan(&n); !errors.Is(err, store.ErrTimeout) {
		t.Errorf("a row: %v", err)
	}
	rows, err := s.readers.QueryContext(t.Context(), endless)
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
