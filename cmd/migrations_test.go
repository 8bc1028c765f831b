package cmd_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"evrun/cmd/api"
)

// A start runs the handlers' migrations without a time limit, and then opens the socket. An interrupt ends and undoes them.
func TestMigrationsRunBeforeTheSocketOpens(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
log: {level: error}
handlers:
  - name: endless
    on: a.b
    do: sql
    with:
      migrate: [CREATE TABLE numbers AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c]
      statement: SELECT 1
`)
	d := serve(t, dir, nil)
	wal := filepath.Join(dir, "evrun.db-wal")
	before := int64(-1)
	eventuallyTrue(t, "the migration writes", func() (bool, string) {
		info, err := os.Stat(wal)
		if err != nil {
			return false, err.Error()
		}
		if before < 0 {
			before = info.Size()
		}
		return info.Size() > before+4<<20, fmt.Sprintf("%d bytes", info.Size())
	})
	if err := d.client.Ping(t.Context()); !errors.Is(err, api.ErrNoDaemon) {
		t.Errorf("the socket is open: %v", err)
	}
	if out, code := run(t, dir, "status"); code != 69 {
		t.Errorf("status: exit %d, %s", code, out)
	}
	d.stop(t)
	if n := openLedger(t, dir).number(t, `SELECT count(*) FROM sqlite_schema WHERE name = 'numbers'`); n != 0 {
		t.Error("the table is there")
	}
	wireAt(t, dir, "handlers: []\n")
	d = serve(t, dir, nil)
	d.ready(t)
	d.stop(t)
}
