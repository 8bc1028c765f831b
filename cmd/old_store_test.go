package cmd_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// oldStore unpacks the store that the last version without retention left, with its wiring file: see testdata/old/make.sh.
func oldStore(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	wiring, err := os.ReadFile("testdata/old/wiring.yaml")
	if err != nil {
		t.Fatal(err)
	}
	wireAt(t, dir, strings.ReplaceAll(string(wiring), "30s", "100ms")) // the waits of bursts and retries
	packed, err := os.Open("testdata/old/evrun-3c6c06c.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "evrun.db"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, unpacked); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// made is when the old store was made.
var made = time.Date(2026, 11, 27, 3, 56, 10, 0, time.UTC)

// keeps returns what the ledger has in a table, as texts: a row each, with only these columns.
func (l *ledger) keeps(t *testing.T, columns, table string) (rows []string) {
	t.Helper()
	list, err := l.db.Query(`SELECT json_array(` + columns + `) FROM ` + table + ` ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	for list.Next() {
		var row string
		if err := list.Scan(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// oldTables are the tables of the old store whose rows are facts that nothing changes.
var oldTables = map[string]string{
	"events":      `sequence, id, source, type, time, accepted_at, subject, datacontenttype, hex(data), chain, cause, hops, extensions`,
	"attempts":    `sequence, handler, attempt, error`,
	"run_outputs": `sequence, handler, attempt, text`,
	"users":       `id, name, email, attributes, created_at, event_id`,
	"sign_ups":    `day, number`,
	"batches":     `id, action, details, total, done, ended_at`,
}

// TestAStoreOfThePast opens the old store with this version, months after it was made. Everything in it is listed, what was due goes on, and no row
// is missing or changed.
func TestAStoreOfThePast(t *testing.T) {
	proof(t)
	t.Parallel()
	dir := oldStore(t)
	l := openLedger(t, dir)
	before := map[string][]string{}
	for table, columns := range oldTables {
		before[table] = l.keeps(t, columns, table)
	}
	runs := l.keeps(t, `sequence, handler, state, attempt, error, reason, joined`, `runs WHERE state > 2`)
	stored := l.number(t, `SELECT count(*) FROM events`)

	if err := os.WriteFile(filepath.Join(dir, "mended"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	begin := made.Add(90 * day)
	c := newClock(t, begin)
	d := serve(t, dir, []string{c.env()})
	d.ready(t)
	first := d
	l.hasAll(t, "runs", runs, `sequence, handler, state, attempt, error, reason, joined`)
	for table, columns := range oldTables {
		l.hasAll(t, table, before[table], columns)
	}
	listedWhole(t, dir, stored)
	// Those that were due or running when the daemon was killed, those that the old version accepted and nobody ran yet, and the bursts.
	for handler, want := range map[string]int64{"due": 2, "hang": 2, "late": 3, "burst": 2} {
		l.eventually(t, want, `SELECT count(*) FROM runs r JOIN handlers h ON h.id = r.handler WHERE h.name = ? AND r.state = 3`, handler)
	}
	for handler, want := range map[string]int64{"far": 2, "fail": 7, "print": 7, "announce": 40} {
		l.eventually(t, want, `SELECT count(*) FROM runs r JOIN handlers h ON h.id = r.handler WHERE h.name = ?`, handler)
	}
	for table, columns := range oldTables {
		l.hasAll(t, table, before[table], columns)
	}
	for command, text := range map[string]string{"status": "an older evrun made this store", "doctor": "pruning begins"} {
		eventuallyTrue(t, command+" announces that the store will be pruned", func() (bool, string) {
			out, _ := run(t, dir, command)
			return strings.Contains(out, text), out
		})
	}
	d.kill(t) // the announcement is stored
	c.set(t, begin.Add(day-time.Minute))
	d = serve(t, dir, []string{c.env()})
	d.ready(t)
	publish(t, d, "job.late", "a-day-later", "{}")
	l.eventually(t, 4, `SELECT count(*) FROM users WHERE name = 'late'`)
	for table, columns := range oldTables {
		l.hasAll(t, table, before[table], columns)
	}
	d.stop(t)
	for _, want := range []string{"level=WARN msg=\"an older evrun made this store", "prune --dry-run"} {
		if n := strings.Count(first.log.String(), want); n != 1 {
			t.Errorf("the first log says %q %d times:\n%s", want, n, first.log)
		}
	}

	c.set(t, begin.Add(day+time.Minute))
	d = serve(t, dir, []string{c.env()})
	d.ready(t)
	for _, typ := range []string{"user.registered", "user.created", "job.print", "job.bulk", "job.flurry", "job.text", "job.unhandled", "job.renamed", "job.left", "tick", "tock"} {
		l.eventually(t, 0, `SELECT count(*) FROM events WHERE accepted_at < ? AND type = ? AND id <> 'clash'`, begin.Add(-30*day).UnixMicro(), typ)
	}
	// What is kept: for dead runs, for one that waits for its next attempt, for a handler that is paused, and for one that the file disables.
	for id, want := range map[string]int64{"clash": 1, "far-%": 2, "paused-%": 3, "disabled-%": 3} {
		l.eventually(t, want, `SELECT count(*) FROM events WHERE id LIKE ?`, id)
	}
	l.eventually(t, 4, `SELECT count(*) FROM runs WHERE state = 5 AND handler = (SELECT id FROM handlers WHERE name = 'fail')`)
	for _, table := range []string{"users", "sign_ups"} {
		l.hasAll(t, table, before[table], oldTables[table])
	}
	l.eventually(t, 1, `SELECT count(*) FROM pruning_lost l JOIN handlers h ON h.id = l.handler WHERE h.name = 'leaver' AND l.events > 0`)
	d.stop(t)
	l.orphans(t)
	l.whole(t)
}

// hasAll checks that all rows are still there.
func (l *ledger) hasAll(t *testing.T, table string, rows []string, columns string) {
	t.Helper()
	if len(rows) == 0 {
		t.Fatalf("the old store has no %s", table)
	}
	report(t, table+" has lost", missing(rows, l.keeps(t, columns, table)))
}

// missing returns the rows that others, which are sorted, don't have.
func missing(rows, others []string) (list []string) {
	for _, row := range rows {
		if _, ok := slices.BinarySearch(others, row); !ok {
			list = append(list, row)
		}
	}
	return list
}

// report says for some rows what is wrong, and counts the rest.
func report(t *testing.T, wrong string, rows []string) {
	t.Helper()
	for _, row := range rows[:min(5, len(rows))] {
		t.Errorf("%s: %s", wrong, row)
	}
	if rest := len(rows) - 5; rest > 0 {
		t.Errorf("%s: %d more", wrong, rest)
	}
}

// listedWhole has every list say all that the store has.
func listedWhole(t *testing.T, dir string, events int64) {
	t.Helper()
	lines := func(least int64, args ...string) (out string) {
		t.Helper()
		out, code := run(t, dir, append(args, "-o", "json", "-q")...)
		if n := int64(strings.Count(out, "\n")); code != 0 || n < least {
			t.Errorf("%v: exit %d, %d lines, want %d: %.2000s", args, code, n, least, out)
		}
		for line := range strings.Lines(out) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%v: %s", args, line)
			}
		}
		return out
	}
	lines(events, "events", "list", "-n", "0")
	lines(1630, "runs", "list", "-n", "0")
	for state, n := range map[string]int64{"succeeded": 850, "skipped": 755, "dead": 5, "dropped": 5, "cancelled": 1, "retrying": 2} {
		lines(n, "runs", "list", "-n", "0", "--state", state)
	}
	lines(40, "users", "list", "-n", "0")
	if out := lines(2, "schedules", "list"); !strings.Contains(out, `"paused":"hand"`) {
		t.Errorf("schedules: %s", out)
	}
	if out := lines(15, "handlers", "list"); !strings.Contains(out, `"leaver"`) {
		t.Errorf("handlers: %s", out)
	}
	lines(1, "status")
	lines(1, "events", "show", "user-1")
	lines(1, "events", "list", "--type", "job.text")
	lines(1, "explain", "--event", "bulk-7")
	dead := lines(1, "runs", "list", "--handler", "fail", "--state", "dead", "-n", "1")
	var first struct{ ID string }
	if err := json.Unmarshal([]byte(dead), &first); err != nil {
		t.Fatalf("%v: %s", err, dead)
	}
	lines(1, "runs", "show", first.ID)
	if out, code := run(t, dir, "runs", "logs", first.ID); code != 0 || !strings.Contains(out, "no such host") {
		t.Errorf("runs logs: exit %d, %s", code, out)
	}
}
