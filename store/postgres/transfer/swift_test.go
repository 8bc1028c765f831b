package transfer_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"evrun/store/postgres/postgrestest"
	pg "evrun/store/postgres/transfer"
	lite "evrun/store/sqlite/transfer"
	"evrun/store/storetest"
	"evrun/store/transfer"
)

// TestAMoveIsSwift moves a store there and back: EVRUN_MOVE_EVENTS events, each with a run; with 1000000, each way takes 60 s at most.
func TestAMoveIsSwift(t *testing.T) {
	n := storetest.Size(t, "EVRUN_MOVE_EVENTS", 20_000, 200_000)
	path, address, back := filled(t, n), postgrestest.Database(t), filepath.Join(t.TempDir(), "back.db")
	for _, way := range []struct {
		name string
		run  func()
	}{
		{"to PostgreSQL", func() {
			moved(t, must(lite.OpenSource(path))(t), must(pg.OpenTarget(ctx, address))(t), transfer.Options{})
		}},
		{"to SQLite", func() {
			moved(t, must(pg.OpenSource(ctx, address))(t), must(lite.OpenTarget(back))(t), transfer.Options{})
		}},
	} {
		begun := time.Now()
		way.run()
		took := time.Since(begun)
		each := took / time.Duration(n)
		t.Logf("%s: %d events in %v, %v each", way.name, n, took.Round(time.Millisecond), each)
		if os.Getenv("EVRUN_MOVE_EVENTS") != "" && each > 60*time.Microsecond { // on a machine that does nothing else
			t.Errorf("%s: %v an event", way.name, each)
		}
	}
}
