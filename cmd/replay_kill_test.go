package cmd_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A replay of many events is killed with its daemon in the middle, and asked for anew. Each event runs once more, and at that handler alone.
func TestAKilledReplayRepeatsEachEventOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts daemons")
	}
	t.Parallel()
	const n = 5000
	dir := wired(t, `log: {level: error, format: json}
handlers:
  - {name: save, on: order.*, do: log, with: {message: "${ data.n }", level: debug}}
  - {name: other, on: order.*, do: log, with: {message: "${ data.n }", level: debug}}
`)
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"type":"order.placed","source":"/shop","id":"%d","data":{"n":%d}}`+"\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "orders"), []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	d := serve(t, dir, nil)
	d.ready(t)
	if out, code := run(t, dir, "emit", "--ndjson", "orders", "-q"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	l := openLedger(t, dir)
	ended := func(handler string, want int64) {
		t.Helper()
		l.eventually(t, want, `SELECT count(*) FROM runs r JOIN handlers h ON h.id = r.handler WHERE h.name = ? AND r.state = 3`, handler)
	}
	ended("save", n)

	c := exec.Command(self(t, dir, "evrun"), "replay", "--handler", "save", "--all", "--yes", "-q")
	c.Dir = dir
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	within(t, time.Minute, "a part was replayed", func() (bool, string) {
		pauseFor(context.Background(), time.Millisecond)
		done := l.number(t, `SELECT ifnull(max(done), 0) FROM batches`)
		return done >= n/5, fmt.Sprint(done)
	})
	d.kill(t)
	err := c.Wait()
	replayed := l.number(t, `SELECT count(*) FROM events WHERE extensions ->> '@replayof' > 0`)
	t.Logf("killed after %d of %d; the command: %v", replayed, n, err)
	d = serve(t, dir, nil)
	d.ready(t)
	out, code := run(t, dir, "replay", "--handler", "save", "--all", "--yes", "-q")
	want := fmt.Sprintf("%d replayed, %d replayed before (--again repeats them)\n", n-replayed, replayed)
	if replayed == 0 {
		want = fmt.Sprintf("%d replayed\n", n)
	}
	if code != 0 || out != want {
		t.Errorf("exit %d: %swant %s", code, out, want)
	}
	ended("save", 2*n)
	ended("other", n)
	l.none(t, "an event that was repeated twice", `SELECT extensions ->> '@replayof' AS original, count(*) FROM events
		WHERE extensions ->> '@target' = ? GROUP BY original HAVING count(*) != 1`, "save")
	if repeated := l.number(t, `SELECT count(*) FROM events WHERE extensions ->> '@target' = 'save'`); repeated != n {
		t.Errorf("%d of %d events were repeated", repeated, n)
	}
	d.stop(t)
}
