package cmd_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"evrun/store/sqlite"
)

// TestStoppedWhileItStarts interrupts the daemon at any moment of its start, once it listens to signals: that is no failure,
// and the store is whole.
func TestStoppedWhileItStarts(t *testing.T) {
	dir := wired(t, `
log: {level: error}
schedules: [{name: tick, every: 100ms, emit: tick}]
handlers: [{name: log, on: tick, do: log, with: {message: hello}}]
`)
	rounds := 100
	if testing.Short() {
		rounds = 15
	}
	for range rounds {
		d := serve(t, dir, nil)
		for deadline := time.Now().Add(patience); ; { // without a pause, as the moments that follow are what is tested
			if _, err := os.Stat(filepath.Join(dir, "evrun.sock")); err == nil {
				break
			} else if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		<-time.After(time.Duration(rand.Int64N(int64(4 * time.Millisecond))))
		if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if code := d.code(t); code != 0 {
			t.Fatalf("exit %d", code)
		}
	}
	s, err := sqlite.OpenReader(filepath.Join(dir, "evrun.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
