package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
)

// A role that is called evrun, as in all examples, has evrun's own schema for its "$user": tables of the user's own must not go there.
func TestARoleThatIsCalledEvrunMakesItsTablesElsewhere(t *testing.T) {
	address := postgrestest.Database(t)
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(query string) {
		t.Helper()
		if _, err := c.Exec(context.Background(), query); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
	t.Cleanup(func() {
		exec(`REASSIGN OWNED BY evrun TO postgres; DROP OWNED BY evrun; DROP ROLE evrun`)
		c.Close(context.Background())
	})
	exec(`CREATE ROLE evrun LOGIN; ALTER DATABASE ` + c.Config().Database + ` OWNER TO evrun`)
	s, err := postgres.Open(t.Context(), strings.Replace(address, "postgres://postgres@", "postgres://evrun@", 1), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	}()
	var parsed []*store.Statement
	for _, text := range []string{`CREATE TABLE notes (id text PRIMARY KEY)`, `CREATE INDEX notes_id ON notes (lower(id))`} {
		p, err := postgres.ParseStatement(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, p)
	}
	if _, err = s.Rewire(ctx, store.Wiring{Migrations: []store.Migration{{Handler: "h", Statements: parsed}}}); err != nil {
		t.Error(err)
	}
	var schema string
	if err := c.QueryRow(ctx, `SELECT schemaname FROM pg_tables WHERE tablename = 'notes'`).Scan(&schema); err != nil || schema != "public" {
		t.Errorf("notes is in %q, %v", schema, err)
	}
}
