package cmd_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	driver "modernc.org/sqlite"

	"evrun/store"
)

func init() {
	// Without it, closing a file here would drop the locks of other connections of this process. It must come before the
	// first of them.
	_, _ = driver.OFDLocking(true) // an error: not Linux
}

// ledger reads a store's file without evrun's own code, and never writes: after a crash the file stays unchanged.
type ledger struct {
	db         *sql.DB
	effectsDir string
	effects    int64 // how much of the effects' file was checked
	seen       map[string]bool
}

func openLedger(t *testing.T, dir string) *ledger {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "evrun.db")+"?mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(0) // each query opens the file again
	t.Cleanup(func() { db.Close() })
	return &ledger{effectsDir: dir, db: db, seen: map[string]bool{}}
}

// number runs a query that returns one number.
func (l *ledger) number(t *testing.T, query string, args ...any) (n int64) {
	t.Helper()
	if err := l.db.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// none runs a query that must give no rows: each row is a violation.
func (l *ledger) none(t *testing.T, what, query string, args ...any) {
	t.Helper()
	rows, err := l.db.Query(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		if found++; found <= 5 {
			var b strings.Builder
			for i, v := range values {
				fmt.Fprintf(&b, " %s=%v", columns[i], *v.(*any))
			}
			t.Errorf("%s:%s", what, b.String())
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if found > 5 {
		t.Errorf("%s: and %d more", what, found-5)
	}
}

// whole checks that SQLite finds the file in order.
func (l *ledger) whole(t *testing.T) {
	t.Helper()
	l.none(t, "integrity_check", `SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'`)
}

// has checks that every acknowledged event is in the journal, under the sequence that it was acknowledged with.
func (l *ledger) has(t *testing.T, source string, acknowledged map[string]int64) {
	t.Helper()
	stored := map[string]int64{}
	low := int64(-1)
	for _, sequence := range acknowledged {
		if low < 0 || sequence < low {
			low = sequence
		}
	}
	rows, err := l.db.Query(`SELECT id, sequence FROM events WHERE source = ? AND sequence >= ?`, source, low)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var sequence int64
		if err := rows.Scan(&id, &sequence); err != nil {
			t.Fatal(err)
		}
		stored[id] = sequence
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for id, sequence := range acknowledged {
		if stored[id] != sequence {
			if lost++; lost <= 5 {
				t.Errorf("event %s was acknowledged as sequence %d, and the journal has it at %d (0: not at all)", id, sequence, stored[id])
			}
		}
	}
	if lost > 5 {
		t.Errorf("%d of %d acknowledged events are not as acknowledged", lost, len(acknowledged))
	}
}

// inOrder checks what must hold at every moment, also right after a crash, for a handler and the type that it is wired to:
// each event has a run or is above the mark, every run has its event, and each succeeded run of a tally has its one row.
func (l *ledger) inOrder(t *testing.T, handler, typ string, after int64) {
	t.Helper()
	l.none(t, handler+": events below the mark without a run",
		`SELECT e.sequence, e.id, h.low_water FROM handlers h JOIN events e ON e.sequence <= h.low_water AND e.sequence > ?3 AND e.type = ?2
		 WHERE h.name = ?1 AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.sequence = e.sequence AND r.handler = h.id)`, handler, typ, after)
	l.none(t, handler+": runs without an event",
		`SELECT r.sequence FROM runs r JOIN handlers h ON h.id = r.handler WHERE h.name = ?1 AND r.sequence > ?3
		 AND NOT EXISTS (SELECT 1 FROM events e WHERE e.sequence = r.sequence AND e.type = ?2)`, handler, typ, after)
}

// tallied checks that the effects of a tally (see proof_actions_test.go) match its runs: one row for each succeeded run, none for others.
func (l *ledger) tallied(t *testing.T, handler string, after int64) {
	t.Helper()
	l.none(t, handler+": runs whose effect is not there exactly once",
		`SELECT r.sequence, e.id, r.state, r.attempt, (SELECT count(*) FROM users u WHERE u.event_id = e.id AND u.name = ?1) AS effects
		 FROM runs r JOIN handlers h ON h.id = r.handler JOIN events e ON e.sequence = r.sequence
		 WHERE h.name = ?1 AND r.sequence > ?2 AND effects <> (r.state = 3)`, handler, after)
	l.none(t, handler+": effects without a run",
		`SELECT u.id, u.event_id FROM users u WHERE u.name = ?1 AND NOT EXISTS (SELECT 1 FROM events e JOIN runs r ON r.sequence = e.sequence
		 JOIN handlers h ON h.id = r.handler WHERE e.id = u.event_id AND h.name = ?1)`, handler)
}

// indexUsers gives tallied an index: a user's event_id has none. Only for a store that no daemon has open.
func indexUsers(t *testing.T, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "evrun.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE INDEX IF NOT EXISTS proof_users ON users (event_id, name)`); err != nil {
		t.Fatal(err)
	}
}

// settled waits until a handler has ended its runs on all events of its type, and checks the sum.
func (l *ledger) settled(t *testing.T, handler, typ string) (succeeded, dead int64) {
	t.Helper()
	var accepted, running, skipped int64
	within(t, patience, handler+" has settled all", func() (bool, string) {
		err := l.db.QueryRow(`SELECT (SELECT count(*) FROM events WHERE type = ?2), coalesce(sum(r.state = 3), 0), coalesce(sum(r.state = 4), 0),
			coalesce(sum(r.state = 5), 0), coalesce(sum(r.state <= 2), 0)
			FROM runs r WHERE r.handler = (SELECT id FROM handlers WHERE name = ?1)`, handler, typ).Scan(&accepted, &succeeded, &skipped, &dead, &running)
		if err != nil {
			t.Fatal(err)
		}
		return accepted == succeeded+skipped+dead, fmt.Sprintf("%d accepted, %d succeeded, %d skipped, %d dead, %d pending", accepted, succeeded, skipped, dead, running)
	})
	return succeeded, dead
}

// effectsFile is where outside handlers of proofs leave their effects: a line "run attempt" each.
const effectsFile = "effects.log"

// recorded checks the outside effects that are new since the last call: each attempt was recorded before it acted, and
// acted once. It returns how often each run acted, in all.
func (l *ledger) recorded(t *testing.T) {
	t.Helper()
	f, err := os.Open(filepath.Join(l.effectsDir, effectsFile))
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(l.effects, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	attempts, err := l.db.Prepare(`SELECT coalesce(max(r.attempt), 0) FROM runs r JOIN handlers h ON h.id = r.handler WHERE r.sequence = ? AND h.name = ?`)
	if err != nil {
		t.Fatal(err)
	}
	defer attempts.Close()
	for lines := bufio.NewReader(f); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return // a line is written in one piece
		}
		l.effects += int64(len(line))
		var run string
		var attempt, known int
		if _, err := fmt.Sscan(line, &run, &attempt); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if l.seen[line] {
			t.Errorf("attempt %d of run %s acted twice", attempt, run)
		}
		l.seen[line] = true
		sequence, handler, _, err := store.ParseRunID(run)
		if err != nil {
			t.Fatal(err)
		}
		if err := attempts.QueryRow(sequence, handler).Scan(&known); err != nil {
			t.Fatal(err)
		}
		if known < attempt {
			t.Errorf("attempt %d of run %s acted, and %d are recorded", attempt, run, known)
		}
	}
}

// acted checks that every succeeded run of an outside handler has acted at least once. recorded was called before.
func (l *ledger) acted(t *testing.T, handler string) {
	t.Helper()
	runs := map[int64]bool{}
	for line := range l.seen {
		run, _, _ := strings.Cut(line, " ")
		if sequence, name, _, err := store.ParseRunID(run); err == nil && name == handler {
			runs[sequence] = true
		}
	}
	rows, err := l.db.Query(`SELECT r.sequence FROM runs r JOIN handlers h ON h.id = r.handler WHERE h.name = ? AND r.state = 3`, handler)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var sequence int64
		if err := rows.Scan(&sequence); err != nil {
			t.Fatal(err)
		}
		if n++; !runs[sequence] {
			t.Errorf("the run of %s on event %d succeeded, and never acted", handler, sequence)
		}
	}
	if err := rows.Err(); err != nil || n == 0 {
		t.Errorf("%s has %d succeeded runs (%v)", handler, n, err)
	}
}

// orphans checks that what is left of a journal belongs together, also right after a kill: nothing hangs on what was pruned.
func (l *ledger) orphans(t *testing.T) {
	t.Helper()
	l.none(t, "runs without an event", `SELECT r.sequence, r.handler, r.state FROM runs r WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.sequence = r.sequence)`)
	l.none(t, "attempts without a run", `SELECT a.sequence, a.handler FROM attempts a WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.sequence = a.sequence AND r.handler = a.handler)`)
	l.none(t, "outputs without a run", `SELECT o.sequence, o.handler FROM run_outputs o WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.sequence = o.sequence AND r.handler = o.handler)`)
	l.none(t, "events without the first one of their chain", `SELECT e.sequence, e.chain, e.type FROM events e WHERE e.chain IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events r WHERE r.sequence = e.chain)`)
	l.none(t, "events that no search finds", `SELECT e.sequence, e.type FROM events e WHERE NOT EXISTS (SELECT 1 FROM blocks b WHERE b.what IN ('t:' || e.type, 't:') AND b.block = e.sequence >> 10)`)
	l.none(t, "runs that no search finds", `SELECT r.sequence, r.handler FROM runs r WHERE NOT EXISTS (SELECT 1 FROM blocks b
		WHERE b.what = 'r:' || r.handler || ':' || CASE r.state WHEN 3 THEN 3 WHEN 4 THEN 4 ELSE 0 END AND b.block = r.sequence >> 10)`)
}
