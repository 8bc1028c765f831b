package postgres_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
)

// A database that can't have every text is refused when it is opened, not at the first event with such a text.
func TestADatabaseInAnotherEncodingIsRefused(t *testing.T) {
	config, err := pgx.ParseConfig(postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	const name = "latin"
	if _, err := c.Exec(t.Context(), "CREATE DATABASE "+name+" ENCODING LATIN1 LOCALE 'C' TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := c.Exec(t.Context(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	}()
	address := fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d", config.User, name, config.Host, config.Port)
	s, err := postgres.Open(t.Context(), address, postgres.Options{})
	var refused *store.OpenError
	if !errors.As(err, &refused) {
		t.Errorf("%v, %v", s, err)
	}
}
