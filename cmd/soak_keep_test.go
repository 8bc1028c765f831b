package cmd_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// prune prunes by hand.
func (s *soak) prune(t *testing.T) {
	if out, code := run(t, s.dir, "prune"); code != 0 {
		t.Errorf("prune: exit %d, %s", code, out)
	}
}

// doctor finds no error.
func (s *soak) doctor(t *testing.T) {
	if out, code := run(t, s.dir, "doctor", "--full"); code != 0 {
		t.Errorf("doctor: exit %d, %s", code, out)
	}
}

// erase erases a person: the user is gone, and no file of the store has a text of theirs any more.
func (s *soak) erase(t *testing.T) {
	var chosen []sent
	for _, e := range s.load.all() {
		if age := time.Since(e.at); e.typ == "soak.user" && age < s.day/2 && age > time.Second && !s.erased[e.n] {
			chosen = append(chosen, e)
		}
	}
	if len(chosen) == 0 {
		return
	}
	e := chosen[rand.N(len(chosen))]
	s.ledger.eventually(t, 1, `SELECT count(*) FROM users WHERE event_id = ?`, e.id)
	if out, code := run(t, s.dir, "erase", "--subject", fmt.Sprintf("person-%d", e.n), "--yes"); code != 0 {
		t.Fatalf("erase: exit %d, %s", code, out)
	}
	s.erased[e.n] = true
	s.ledger.none(t, "an erased user", `SELECT * FROM users WHERE event_id = ?`, e.id)
	// Another process reads the files: see openLedger.
	found, err := exec.Command("grep", "-lF", fmt.Sprintf("mark-%d-of-a-person", e.n), filepath.Join(s.dir, "evrun.db"), filepath.Join(s.dir, "evrun.db-wal")).Output()
	if err == nil {
		t.Errorf("the data of an erased person is in %s", found)
	}
}

// restore restores the newest backup elsewhere: it is whole, and has all that was acknowledged up to its sequence and was not old.
func (s *soak) restore(t *testing.T) {
	list, _ := filepath.Glob(filepath.Join(s.dir, "backups", "*.db"))
	if len(list) == 0 {
		return
	}
	slices.Sort(list)
	dir := t.TempDir()
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "backup")
	text, err := os.ReadFile(list[len(list)-1])
	if os.IsNotExist(err) {
		return // a newer one has just replaced it
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	wireAt(t, dir, "handlers: []\n")
	if out, code := run(t, dir, "restore", name); code != 0 {
		t.Fatalf("restore: exit %d, %s", code, out)
	}
	l := openLedger(t, dir)
	defer l.db.Close()
	l.whole(t)
	l.orphans(t)
	l.inOrder(t, "done", "soak.done", 0)
	l.inOrder(t, "http", "soak.http", 0)
	head := l.number(t, `SELECT max(sequence) FROM events WHERE type <> 'evrun.audit.store.restored'`)
	at := time.UnixMicro(l.number(t, `SELECT accepted_at FROM events WHERE sequence = ?`, head))
	acknowledged := map[string]int64{}
	for _, e := range s.load.all() {
		if e.seq <= head && e.at.After(at.Add(-s.day*9/10)) {
			acknowledged[e.id] = e.seq
		}
	}
	l.has(t, soakSource, acknowledged)
	s.did["events found in backups"] += len(acknowledged)
}

// lastBackup makes a backup, and stops the daemon at once: up to the sequence of the backup, the store and the backup have the same rows, except for what was
// pruned in between. The restored store then runs.
func (s *soak) lastBackup(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "evrun.db")
	out, code := run(t, s.dir, "backup", name, "-o", "json", "-q")
	s.d.stop(t)
	var made struct {
		Seq int64 `json:",string"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil || code != 0 || made.Seq == 0 {
		t.Fatalf("backup: exit %d, %v, %s", code, err, out)
	}
	backup := openLedger(t, dir)
	defer backup.db.Close()
	backup.whole(t)
	if head := backup.number(t, `SELECT max(sequence) FROM events`); head != made.Seq {
		t.Errorf("the backup says that it is of #%d, and its last event is #%d", made.Seq, head)
	}
	old := time.Now().Add(-s.day).UnixMicro()
	for _, c := range []struct{ table, columns, where string }{
		{"events", oldTables["events"], ""},
		{"runs", `sequence, handler, state, attempt, budget, started_at, finished_at, error, reason, joined, began_as`, ""},
		{"attempts", oldTables["attempts"], ""},
		{"run_outputs", oldTables["run_outputs"], ""},
		{"users", oldTables["users"], "all"},
		{"effects", `id, event`, "all"},
	} {
		where := fmt.Sprintf(` t WHERE sequence <= %d AND sequence IN (SELECT sequence FROM events WHERE type LIKE 'soak.%%' AND type NOT IN ('soak.tick', 'soak.backup', 'soak.sweep'))`, made.Seq)
		young := where + fmt.Sprintf(` AND (SELECT accepted_at FROM events e WHERE e.sequence = t.sequence) > %d`, old)
		if c.where == "all" {
			where, young = "", ""
		}
		stored, copied := s.ledger.keeps(t, c.columns, c.table+where), backup.keeps(t, c.columns, c.table+young)
		all := backup.keeps(t, c.columns, c.table+where)
		report(t, c.table+": the backup does not have", missing(stored, all))
		report(t, c.table+": only the backup has", missing(copied, stored))
		t.Logf("%s: %d rows, %d in the backup, %d of them young", c.table, len(stored), len(all), len(copied))
	}
	again := t.TempDir()
	wireAt(t, again, "handlers: []\n")
	if out, code := run(t, again, "restore", name); code != 0 {
		t.Fatalf("restore: exit %d, %s", code, out)
	}
	d := serve(t, again, nil)
	d.ready(t)
	if rc := publish(t, d, "soak.other", "after", "{}"); rc.Sequence <= made.Seq {
		t.Errorf("the restored store gave #%d, after #%d", rc.Sequence, made.Seq)
	}
	d.stop(t)
}
