package cmd_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withOrders starts a daemon and publishes n events order.placed, with the numbers from 0 as their ids and as n in their data.
func withOrders(t *testing.T, wiring string, n int) (*daemon, *ledger) {
	t.Helper()
	dir := wired(t, wiring)
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
	return d, openLedger(t, dir)
}

// killedMidway kills a daemon when so many of the first batch are done, which a command runs, and starts the daemon again. It returns what the command
// has printed.
func (d *daemon) killedMidway(t *testing.T, l *ledger, done int64, args ...string) (again *daemon, text string) {
	t.Helper()
	c, printed := begun(t, d.dir, args...)
	within(t, time.Minute, "the batch has come that far", func() (bool, string) {
		pauseFor(context.Background(), time.Millisecond)
		n := l.number(t, `SELECT ifnull(max(done), 0) FROM batches`)
		return n >= done, fmt.Sprint(n)
	})
	d.kill(t)
	err := c.Wait()
	t.Logf("killed after %d of %d; the command: %v", l.number(t, `SELECT done FROM batches`), l.number(t, `SELECT total FROM batches`), err)
	again = serve(t, d.dir, nil)
	again.ready(t)
	return again, printed.String()
}

// begun starts a command; text is what it has printed, once it has ended.
func begun(t *testing.T, dir string, args ...string) (c *exec.Cmd, text *bytes.Buffer) {
	t.Helper()
	c, text = exec.Command(self(t, dir, "evrun"), args...), new(bytes.Buffer)
	c.Dir, c.Stdout, c.Stderr = dir, text, text
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	return c, text
}

// Many dead runs are sent again with other data, and the daemon is killed in the middle. What the command then proposes does the rest, each run once.
func TestAKilledEditSendsEachRunAgainOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts daemons")
	}
	t.Parallel()
	const n = 6000
	d, l := withOrders(t, `log: {level: error, format: json}
handlers:
  - name: save
    on: order.*
    do: sql
    with: {migrate: ["CREATE TABLE orders (n INTEGER, currency TEXT NOT NULL)"], statement: "INSERT INTO orders VALUES (:n, :currency)", params: {n: "${ data.n }", currency: "${ data.currency ?? nil }"}}
    retry: {attempts: 1}
`, n)
	l.eventually(t, n, `SELECT count(*) FROM runs WHERE state = 5`)

	d, said := d.killedMidway(t, l, 1, "runs", "retry", "--handler", "save", "-f", "currency=EUR", "--yes")
	if l.number(t, `SELECT count(*) FROM batches WHERE ended_at IS NULL`) == 1 {
		_, proposed, _ := strings.Cut(said, "hint: evrun ")
		proposed, _, ok := strings.Cut(proposed, " does the rest")
		if !ok {
			t.Fatalf("it proposes nothing: %s", said)
		}
		if out, code := run(t, d.dir, strings.Fields(proposed)...); code != 0 || !strings.Contains(out, "sent again") {
			t.Errorf("%s: exit %d: %s", proposed, code, out)
		}
	}
	l.eventually(t, n, `SELECT count(*) FROM orders`)
	l.none(t, "an order that was saved twice", `SELECT n, count(*) FROM orders WHERE currency = ? GROUP BY n HAVING count(*) != 1`, "EUR")
	if edited := l.number(t, `SELECT count(*) FROM events WHERE extensions ->> '@target' = 'save'`); edited != n {
		t.Errorf("%d of %d events were sent again", edited, n)
	}
	d.stop(t)
}

// A replay of many events is killed with its daemon in the middle, and asked for anew. Each event runs once more, and at that handler alone.
func TestAKilledReplayRepeatsEachEventOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts daemons")
	}
	t.Parallel()
	const n = 5000
	d, l := withOrders(t, `log: {level: error, format: json}
handlers:
  - {name: save, on: order.*, do: log, with: {message: "${ data.n }", level: debug}}
  - {name: other, on: order.*, do: log, with: {message: "${ data.n }", level: debug}}
`, n)
	ended := func(handler string, want int64) {
		t.Helper()
		l.eventually(t, want, `SELECT count(*) FROM runs r JOIN handlers h ON h.id = r.handler WHERE h.name = ? AND r.state = 3`, handler)
	}
	ended("save", n)

	d, _ = d.killedMidway(t, l, n/5, "replay", "--handler", "save", "--all", "--yes", "-q")
	replayed := l.number(t, `SELECT count(*) FROM events WHERE extensions ->> '@replayof' > 0`)
	out, code := run(t, d.dir, "replay", "--handler", "save", "--all", "--yes", "-q")
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
