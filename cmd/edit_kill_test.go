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

// Many dead runs are sent again with other data, and the daemon is killed in the middle. What the command then proposes does the rest, each run once.
func TestAKilledEditSendsEachRunAgainOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts daemons")
	}
	t.Parallel()
	const n = 6000
	dir := wired(t, `log: {level: error, format: json}
handlers:
  - name: save
    on: order.*
    do: sql
    with: {migrate: ["CREATE TABLE orders (n INTEGER, currency TEXT NOT NULL)"], statement: "INSERT INTO orders VALUES (:n, :currency)", params: {n: "${ data.n }", currency: "${ data.currency ?? nil }"}}
    retry: {attempts: 1}
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
	l.eventually(t, n, `SELECT count(*) FROM runs WHERE state = 5`)

	c := exec.Command(self(t, dir, "evrun"), "runs", "retry", "--handler", "save", "-f", "currency=EUR", "--yes")
	c.Dir = dir
	var said strings.Builder
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	within(t, time.Minute, "a part was sent again", func() (bool, string) {
		pauseFor(context.Background(), time.Millisecond)
		done := l.number(t, `SELECT ifnull(max(done), 0) FROM batches`)
		return done > 0, fmt.Sprint(done)
	})
	d.kill(t)
	err := c.Wait()
	t.Logf("killed after %d of %d; the command: %v", l.number(t, `SELECT done FROM batches`), n, err)
	d = serve(t, dir, nil)
	d.ready(t)
	if l.number(t, `SELECT count(*) FROM batches WHERE ended_at IS NULL`) == 1 {
		_, proposed, _ := strings.Cut(said.String(), "hint: evrun ")
		proposed, _, ok := strings.Cut(proposed, " does the rest")
		if !ok {
			t.Fatalf("it proposes nothing: %s", said.String())
		}
		if out, code := run(t, dir, strings.Fields(proposed)...); code != 0 || !strings.Contains(out, "sent again") {
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
