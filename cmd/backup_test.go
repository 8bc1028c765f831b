package cmd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/cmd/daemon/daemontest"
	"evrun/events"
	"evrun/store/storetest"
)

// stored returns the events and runs of a store up to a sequence, each sorted.
func stored(t *testing.T, dir string, upTo int64) (evs, runs []string) {
	t.Helper()
	l := openLedger(t, dir)
	where := fmt.Sprint(` WHERE sequence <= `, upTo)
	return l.keeps(t, oldTables["events"], `events`+where), l.keeps(t, `sequence, handler, state`, `runs`+where)
}

const backedUpWiring = "handlers: [{name: note, on: order.placed, do: log, with: {message: noted}}]\n"

// Backups are made under load, interrupted and killed at random moments. Each that has its name restores equal at its seq: its events, and the runs that
// had ended by then. The daemon loses nothing.
func TestABackupUnderLoadRestoresEqual(t *testing.T) {
	t.Parallel()
	d := daemontest.Start(t, backedUpWiring)
	stop := make(chan struct{})
	var load sync.WaitGroup
	accepted := make([]int, 3)
	for w := range accepted {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				e := &events.Event{Type: "order.placed", ID: fmt.Sprint(w, "-", accepted[w]), Source: "/load", Time: time.Now(), DataContentType: "application/json",
					Data: json.RawMessage(`"` + strings.Repeat("x", 2000) + `"`)}
				if _, err := d.Emit(context.Background(), e); err != nil {
					t.Error(err)
					return
				}
				accepted[w]++
			}
		})
	}
	for i := range storetest.Size(t, "EVRUN_BACKUPS", 12, 60) {
		name := fmt.Sprintf("backup%d.db", i)
		c := exec.Command(link(t, d.Dir), "backup", name)
		c.Dir = d.Dir
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if i%3 > 0 {
			signal := os.Interrupt
			if i%3 == 2 {
				signal = os.Kill
			}
			pauseFor(t.Context(), time.Duration(i*7)*time.Millisecond)
			_ = c.Process.Signal(signal) // it may have ended
		}
		err := c.Wait()
		if _, serr := os.Stat(filepath.Join(d.Dir, name)); err == nil != (serr == nil) && i%3 < 2 {
			t.Errorf("backup %d: %v, but its file: %v", i, err, serr)
		}
	}
	close(stop)
	load.Wait()
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	total := 0
	for _, n := range accepted {
		total += n
	}
	if got := openLedger(t, d.Dir).number(t, `SELECT count(*) FROM events`); got != int64(total) {
		t.Errorf("%d events were accepted, %d are stored", total, got)
	}
	complete, err := filepath.Glob(filepath.Join(d.Dir, "backup*.db"))
	if err != nil || len(complete) < 4 {
		t.Fatal(complete, err)
	}
	for _, backup := range complete {
		dir := wired(t, backedUpWiring)
		code, out, stderr := ended(t, dir, nil, "restore", backup, "-o", "json")
		if code != 0 {
			t.Errorf("restore %s: exit code %d: %s", backup, code, stderr)
			continue
		}
		var restored struct {
			Sequence int64 `json:"seq,string"`
		}
		if err := json.Unmarshal([]byte(out), &restored); err != nil {
			t.Fatal(err)
		}
		evs, runs := stored(t, dir, restored.Sequence)
		allEvents, allRuns := stored(t, d.Dir, restored.Sequence)
		report(t, filepath.Base(backup)+" has events that the store never had", missing(evs, allEvents))
		report(t, filepath.Base(backup)+" has runs that the store never had", missing(runs, allRuns)) // a run that had ended stays so
		if n := int64(len(evs)); n != restored.Sequence {
			t.Errorf("%s ends with #%d, and has %d events", filepath.Base(backup), restored.Sequence, n)
		}
	}
}
