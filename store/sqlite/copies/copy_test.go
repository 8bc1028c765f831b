package copies

import (
	"os"
	"path/filepath"
	"testing"

	"evrun/store/sqlite/conn"
)

// A copy counts how often it began again, also when it never got beyond its first step.
func TestACopyThatNeverAdvancesIsNoticed(t *testing.T) {
	if err := conn.OFDLocking(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, to := filepath.Join(dir, "evrun.db"), filepath.Join(dir, "copy.db")
	if err := os.WriteFile(to, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var conns [2]*conn.Conn
	for i := range conns {
		c, err := conn.Open(conn.Writer(path, "FULL"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
	}
	if err := conns[0].Exec(`CREATE TABLE t (x)`); err != nil {
		t.Fatal(err)
	}
	if err := conns[0].Exec(`INSERT INTO t SELECT zeroblob(1000000)`); err != nil {
		t.Fatal(err)
	}
	c, err := Begin(conns[0], to)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if more, err := c.Step(StepPages); !more || err != nil {
			t.Fatal(more, err)
		}
		if c.Restarts() != i {
			t.Errorf("after step %d: %d restarts", i+1, c.Restarts())
		}
		if err := conns[1].Exec(`INSERT INTO t VALUES (1)`); err != nil { // not a commit of the connection that is copied
			t.Fatal(err)
		}
	}
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
}

// After Fold, the file alone has what was in the log.
func TestALogIsFoldedIntoItsFile(t *testing.T) {
	if err := conn.OFDLocking(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, killed, alone := filepath.Join(dir, "evrun.db"), filepath.Join(dir, "killed.db"), filepath.Join(dir, "alone.db")
	c, err := conn.Open(conn.Writer(path, "FULL"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(`CREATE TABLE t AS SELECT 42 AS x`); err != nil {
		t.Fatal(err)
	}
	take := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	take(path, killed) // as a daemon that was killed leaves it
	take(path+"-wal", killed+"-wal")
	if err := Fold(killed); err != nil {
		t.Fatal(err)
	}
	take(killed, alone)
	left, err := conn.Open(conn.Writer(alone, "FULL"))
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	if n, err := conn.Prepare(left.Prepared).Number(`SELECT x FROM t`); n != 42 || err != nil {
		t.Errorf("the file alone has %d, %v", n, err)
	}
}
