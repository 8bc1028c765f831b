package postgres_test

import (
	"context"
	"testing"

	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// open makes an empty store for one test, and runs it.
func open(t *testing.T, opt store.Options) store.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgrestest.Database(t), postgres.Options{Options: opt})
	if err != nil {
		t.Fatal(err)
	}
	running(t, s)
	return s
}

// running runs a store until the end of the test.
func running(t *testing.T, s store.Store) {
	t.Helper()
	t.Cleanup(run(t, s))
}

// run runs a store, and returns how it is ended and closed.
func run(t *testing.T, s store.Store) (end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStoreKeepsItsPromises(t *testing.T) {
	if testing.Short() {
		t.Skip("one caller at a time: what several do at once is in the other tests")
	}
	storetest.Run(t, storetest.Driver{Open: open, Parse: postgres.ParseStatement, Bytes: "bytea"})
}
