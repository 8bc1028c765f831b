package conn

import (
	"path/filepath"
	"testing"
)

func TestAPreparedStatementIsCompiledOnce(t *testing.T) {
	c := open(t, Writer(filepath.Join(t.TempDir(), "evrun.db"), "NORMAL"))
	p := Prepare(c.Prepared)
	if _, err := p.Exec(`CREATE TABLE t (x)`); err != nil {
		t.Fatal(err)
	}
	kept := len(c.stmts)
	for i := range 3 {
		if n, err := p.Exec(`INSERT INTO t VALUES (?)`, int64(i+1)); n != 1 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		if n, err := p.Number(`SELECT sum(x) FROM t WHERE x > ?`, int64(i)); n != int64(i+1) || err != nil {
			t.Errorf("the number is %d, %v", n, err)
		}
	}
	if n := len(c.stmts) - kept; n != 2 {
		t.Errorf("%d statements were compiled, want 2", n)
	}
	if n, err := p.Number(`SELECT NULL`); n != 0 || err != nil {
		t.Errorf("NULL is %d, %v", n, err)
	}
	if _, err := p.Number(`SELECT 1 WHERE 0`); !NoRows(err) {
		t.Errorf("without a row: %v", err)
	}
	if _, err := p.Exec(`no SQL`); err == nil {
		t.Error("no SQL was compiled")
	}
}
