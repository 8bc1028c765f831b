package cmd_test

import (
	"context"
	"database/sql"
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

// stored returns all events and runs of a store up to a sequence, as one text.
func stored(t *testing.T, path string, upTo int64) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all strings.Builder
	rows, err := db.Query(`SELECT 'event ' || sequence || ' ' || id || ' ' || type || ' ' || accepted_at || ' ' || ifnull(data, '') FROM events WHERE sequence <= ?1
		UNION ALL SELECT 'run ' || sequence || ' ' || handler || ' ' || state FROM runs WHERE sequence <= ?1 ORDER BY 1`, upTo)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
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
			<-time.After(time.Duration(i*7) * time.Millisecond)
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
	if got := strings.Count(stored(t, filepath.Join(d.Dir, "evrun.db"), 1<<62), "event "); got != total {
		t.Errorf("%d events were accepted, %d are stored", total, got)
	}
	complete, err := filepath.Glob(filepath.Join(d.Dir, "backup*.db"))
	if err != nil || len(complete) < 4 {
		t.Fatal(complete, err)
	}
	for _, backup := range complete {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "evrun.yaml"), []byte(backedUpWiring), 0o600); err != nil {
			t.Fatal(err)
		}
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
		has := stored(t, filepath.Join(dir, "evrun.db"), restored.Sequence)
		all := stored(t, filepath.Join(d.Dir, "evrun.db"), restored.Sequence)
		lines := map[string]bool{}
		for line := range strings.Lines(all) {
			lines[line] = true
		}
		n := int64(0)
		for line := range strings.Lines(has) {
			if strings.HasPrefix(line, "event ") {
				n++
			}
			if !lines[line] { // a run that had ended stays so
				t.Errorf("%s has %q, which the store never had", filepath.Base(backup), line)
			}
		}
		if n != restored.Sequence {
			t.Errorf("%s ends with #%d, and has %d events", filepath.Base(backup), restored.Sequence, n)
		}
	}
}
