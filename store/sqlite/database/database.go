// Package database runs user statements on SQLite files other than the store.
package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"evrun/store"
	"evrun/store/files"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/disk"
	"evrun/store/sqlite/guard"
	"evrun/store/sqlite/schema"
)

// Database is a user's SQLite file, separate from the store. See [store.Database].
type Database struct {
	path  string
	turns chan *guard.Statements // the one connection, while it is not in use; nil after Close
}

var _ store.Database = (*Database)(nil)

// Open opens the file at path; create creates it if it does not exist; otherwise that is a [store.ErrNotFound]. An evrun store is refused,
// this daemon's in particular: any statement could write its tables. The file's journal mode stays as it is.
func Open(path string, create bool) (_ store.Database, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open database %s: %w", path, err)
		}
	}()
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w, but %s", files.ErrNotRegular, files.Kind(info))
	case errors.Is(err, os.ErrNotExist) && !create:
		return nil, fmt.Errorf("%w; with migrate it would be made", store.ErrNotFound)
	}
	if create {
		if err := disk.CreatePrivate(path); err != nil {
			return nil, err
		}
	}
	c, err := conn.Open(conn.User(path, create))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	application, err := c.Prepare(`PRAGMA application_id`)
	if err != nil {
		return nil, err
	}
	row := make([]driver.Value, 1)
	if err := application.QueryRow(row); errors.Is(err, store.ErrNotStore) {
		return nil, errors.New("it is not an SQLite database")
	} else if err != nil {
		return nil, err
	}
	if row[0] == int64(schema.ApplicationID) {
		return nil, fmt.Errorf("%w: it is an evrun store; without dsn a statement runs on this daemon's store", store.ErrStatement)
	}
	u, err := guard.New(c, nil, guard.MaxValue(store.LargestMaxData))
	if err != nil {
		return nil, err
	}
	d := &Database{path: path, turns: make(chan *guard.Statements, 1)}
	d.turns <- u
	return d, nil
}

// Exec implements [store.Database].
func (d *Database) Exec(ctx context.Context, s *store.Statement, args []any) (r store.Result, err error) {
	do := func(u *guard.Statements) error {
		if err := u.Refresh(); err != nil {
			return err
		}
		r, err = u.Exec(ctx, guard.Limit{}, s, args)
		return err
	}
	if s.Reads {
		err = d.inTurn(ctx, do)
	} else {
		err = d.inTransaction(ctx, do)
	}
	return r, err
}

// Migrate implements [store.Database].
func (d *Database) Migrate(ctx context.Context, statements []*store.Statement) error {
	return d.inTransaction(ctx, func(u *guard.Statements) error {
		for i, s := range statements {
			if _, err := u.Exec(ctx, guard.Limit{}, s, nil); err != nil {
				return fmt.Errorf("statement %d: %w", i+1, err)
			}
		}
		return nil
	})
}

// inTurn waits for the connection and calls do with it.
func (d *Database) inTurn(ctx context.Context, do func(*guard.Statements) error) error {
	select {
	case u := <-d.turns:
		defer func() { d.turns <- u }()
		if u == nil {
			return store.ErrClosed
		}
		if err := do(u); err != nil {
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) { // it ended before the statement began, or after it
				err = context.Cause(ctx)
			}
			return fmt.Errorf("database %s: %w", d.path, err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// inTransaction runs do in a transaction, and commits unless do fails.
func (d *Database) inTransaction(ctx context.Context, do func(*guard.Statements) error) error {
	return d.inTurn(ctx, func(u *guard.Statements) error {
		control := func(ctx context.Context, query string) error {
			_, err := u.Conn().Raw().(driver.ExecerContext).ExecContext(ctx, query, nil)
			return conn.Translate(err)
		}
		if err := control(ctx, `BEGIN IMMEDIATE`); err != nil {
			return err
		}
		err := do(u)
		if err == nil {
			err = control(ctx, `COMMIT`)
		}
		if err != nil {
			_ = control(context.Background(), `ROLLBACK`) // SQLite may have rolled back already; err is the better error
		}
		return err
	})
}

// Close implements [store.Database]. It waits for the running statement. Statements that wait for a turn get [store.ErrClosed].
func (d *Database) Close() error {
	u := <-d.turns
	d.turns <- nil
	if u == nil {
		return nil
	}
	return errors.Join(u.Close(), u.Conn().Close())
}
