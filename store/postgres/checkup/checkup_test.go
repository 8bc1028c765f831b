package checkup_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"evrun/store/postgres/checkup"
	"evrun/store/postgres/postgrestest"
	"evrun/store/postgres/schema"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// store makes a database with a store in it.
func store(t *testing.T) (dsn string, c *pgx.Conn) {
	t.Helper()
	dsn = postgrestest.Database(t)
	c = connect(t, dsn)
	if err := schema.Migrate(t.Context(), c, func() string { return "aaaaaaaa" }); err != nil {
		t.Fatal(err)
	}
	return dsn, c
}

func text(found []checkup.Finding) string {
	var lines []string
	for _, f := range found {
		lines = append(lines, fmt.Sprintf("%s %s: %s (%s)", map[checkup.Level]string{checkup.OK: "ok", checkup.Warning: "warning", checkup.Error: "error"}[f.Level], f.Check, f.Text, f.Hint))
	}
	return strings.Join(lines, "\n")
}

// with changes the user and the password of an address.
func with(t *testing.T, dsn, user, password string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

func TestAServerIsExamined(t *testing.T) {
	dsn, c := store(t)
	database := c.Config().Database
	exec := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := c.Exec(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	expect := func(dsn string, lines ...string) {
		t.Helper()
		got := text(checkup.Examine(t.Context(), dsn))
		for _, line := range lines {
			if !strings.Contains(got, line) {
				t.Errorf("%q is missing in\n%s", line, got)
			}
		}
	}
	// The tests' server does not wait for the disk.
	expect(dsn, "ok server: PostgreSQL ", "error commits: fsync is off", "warning replicas: no standby and no WAL archive", "warning rights: the role postgres is a superuser", "ok upkeep: ",
		"ok sessions: ", "of 197 connections are in use", "ok clock: within ", "ok wire: a Unix socket")

	role := "role_" + database
	exec(`CREATE ROLE `+role+` LOGIN PASSWORD 'secret' CONNECTION LIMIT 10`, `REVOKE CREATE ON SCHEMA public FROM public`)
	expect(with(t, dsn, role, "secret"), "error rights: ", "of evrun's tables belong to another role", "warning sessions: ", " of 10 connections are in use; a daemon may take 30, and there are 1")
	exec(`GRANT postgres TO ` + role)
	expect(with(t, dsn, role, "secret"), "ok rights: ")

	exec(`INSERT INTO evrun.nodes (name, version, labels, wiring, started_at) SELECT n::text, '1', '{}', '', 0 FROM generate_series(1, 7) n`)
	expect(dsn, "warning sessions: ", "a daemon may take 30, and there are 7")
	u, err := url.Parse(dsn) // what is for pools is not for the server
	if err != nil {
		t.Fatal(err)
	}
	given := u.Query()
	given.Set("pool_max_conns", "12")
	u.RawQuery = given.Encode()
	expect(u.String(), "warning sessions: ", "a daemon may take 38, and there are 7")
	exec(`ALTER TABLE evrun.runs SET (autovacuum_enabled = false)`)
	expect(dsn, "warning upkeep: autovacuum is off for evrun.runs (ALTER TABLE evrun.runs RESET (autovacuum_enabled))")
}

func TestWhatCantBeReachedIsAFinding(t *testing.T) {
	got := text(checkup.Examine(t.Context(), "postgres://user:hidden@127.0.0.1:1/db?connect_timeout=1"))
	if !strings.HasPrefix(got, "error server: ") || strings.Contains(got, "hidden") {
		t.Error(got)
	}
	if got := text(checkup.Examine(t.Context(), "postgres://user:hidden@host:port/db")); !strings.HasPrefix(got, "error server: ") || strings.Contains(got, "hidden") {
		t.Error(got)
	}
}

func TestADirectConnectionIsNotPooled(t *testing.T) {
	dsn, c := store(t)
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkup.Pooled(t.Context(), c, config); err != nil {
		t.Error(err)
	}
}
