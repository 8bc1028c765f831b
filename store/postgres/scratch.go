package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"evrun/store/postgres/conn"
)

// dropWithin is how long a scratch database may take to go.
const dropWithin = 10 * time.Second

// Scratch makes an empty database on the server of another one, and returns its address. drop removes it, with the connections to it. The user needs the
// right to make databases.
func Scratch(ctx context.Context, address string) (scratch string, drop func() error, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, err
	}
	name := "evrun_test_" + strings.ToLower(rand.Text()[:16])
	config, err := conn.Parse(address)
	if err != nil {
		return "", nil, err
	}
	run := func(ctx context.Context, statement string) error {
		c, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return err
		}
		defer c.Close(ctx)
		_, err = c.Exec(ctx, statement)
		return err
	}
	if err := run(ctx, "CREATE DATABASE "+name); err != nil {
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == conn.InsufficientPrivilege {
			return "", nil, fmt.Errorf("%s may not make a database for the test (ALTER ROLE … CREATEDB): %w", u.User.Username(), err)
		}
		return "", nil, fmt.Errorf("make a database for the test: %w", err)
	}
	q := u.Query()
	q.Del("dbname")
	u.Path, u.RawQuery = "/"+name, q.Encode()
	return u.String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), dropWithin)
		defer cancel()
		return run(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	}, nil
}
