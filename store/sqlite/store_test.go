package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
)

func TestStoreKeepsItsPromises(t *testing.T) {
	storetest.Run(t, func(t *testing.T, opt store.Options) store.Store {
		return open(t, filepath.Join(t.TempDir(), "evrun.db"), opt)
	})
}

// open opens a store and runs it until the test ends.
func open(t testing.TB, path string, opt store.Options) *sqlite.Store {
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
	})
	return s
}
