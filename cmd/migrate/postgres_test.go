package migrate_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd"
	"evrun/store/postgres/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

const wiring = `server: {watch: false}
handlers:
  - name: note
    on: order.placed
    do: sql
    with:
      migrate: [CREATE TABLE IF NOT EXISTS notes (id TEXT PRIMARY KEY)]
      statement: INSERT INTO notes (id) VALUES (:event_id)
      params: {event_id: "${event.id}"}
`

// run runs a command of evrun, and returns what it prints.
func run(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := cmd.Main(nil, args, strings.NewReader(""), &out, &errs); code != want {
		t.Fatalf("evrun %s: exit %d\n%s%s", strings.Join(args, " "), code, &out, &errs)
	}
	return out.String() + errs.String()
}

// A store goes to PostgreSQL and is used there, and comes back.
func TestAStoreMovesToPostgreSQLAndBack(t *testing.T) {
	dir, address := t.TempDir(), postgrestest.Database(t)+"&pool_max_conns=5"
	t.Chdir(dir)
	t.Setenv("EVRUN_STORE", "")
	if err := os.WriteFile("evrun.yaml", []byte(wiring), 0o600); err != nil {
		t.Fatal(err)
	}
	has := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%q is not in\n%s", part, text)
			}
		}
	}
	run(t, 0, "emit", "order.placed", "--id", "a", "-f", "n=1")
	run(t, 0, "emit", "order.placed", "--id", "b")
	has(run(t, 0, "migrate", "--to", address, "--dry-run"), "would move", "2 events up to #2")
	has(run(t, 0, "migrate", "--to", address), "moved "+filepath.Join(dir, "evrun.db"), "2 events up to #2", "now set store: postgres://")
	has(run(t, 1, "emit", "order.placed", "--id", "c"), "it was moved to postgres://")
	t.Setenv("EVRUN_STORE", address)
	has(run(t, 0, "emit", "order.placed", "--id", "a"), "#1") // it is known
	has(run(t, 0, "emit", "order.placed", "--id", "c"), "#3")
	has(run(t, 0, "events", "list", "-o", "json"), `"id":"a"`, `"data":{"n":"1"}`, `"id":"c"`)
	has(run(t, 0, "migrate", "--to", "back.db"), "3 events up to #3")
	has(run(t, 1, "emit", "order.placed", "--id", "d"), "it was moved to "+filepath.Join(dir, "back.db"))
	t.Setenv("EVRUN_STORE", "back.db")
	has(run(t, 0, "emit", "order.placed", "--id", "d"), "#4")
	has(run(t, 0, "events", "list", "-o", "json"), `"id":"a"`, `"id":"b"`, `"id":"c"`, `"id":"d"`)
	t.Setenv("EVRUN_STORE", address)
	has(run(t, 0, "migrate", "--reopen"), "goes on here")
	has(run(t, 0, "emit", "order.placed", "--id", "e"), "#4")
}
