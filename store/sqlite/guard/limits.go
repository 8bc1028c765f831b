package guard

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	driverpkg "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"evrun/store"
)

// limiter sets SQLite's limits (sqlite.org/c3ref/limit.html) on a connection that database/sql doesn't manage.
type limiter struct {
	db *sql.DB
	c  *sql.Conn
}

// borrowed is a connection that database/sql can hand to [driverpkg.Limit]. It has no other use.
type borrowed struct{ driver.Conn }

func (b borrowed) Unwrap() driver.Conn { return b.Conn }
func (b borrowed) Close() error        { return nil } // the owner closes it

// Connect implements [driver.Connector].
func (b borrowed) Connect(context.Context) (driver.Conn, error) { return b, nil }

// Driver implements [driver.Connector].
func (b borrowed) Driver() driver.Driver { return nil }

func newLimiter(c driver.Conn) (*limiter, error) {
	db := sql.OpenDB(borrowed{c})
	sc, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &limiter{db: db, c: sc}, nil
}

func (l *limiter) set(id, value int) error {
	_, err := driverpkg.Limit(l.c, id, value)
	return err
}

func (l *limiter) Close() error { return errors.Join(l.c.Close(), l.db.Close()) }

// MaxValue returns the largest value and row, in bytes, on a connection that runs user statements: room for twice the largest data of an event, and
// for evrun's own columns.
func MaxValue(data int) int {
	if data <= 0 {
		data = store.DefaultMaxData
	}
	return 2*data + 1<<20
}

// sane are the limits of all user statements, apart from the largest value. SQLite's defaults assume trusted statements.
var sane = map[int]int{
	lib.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: maxPattern,
	lib.SQLITE_LIMIT_SQL_LENGTH:          1 << 20,
	lib.SQLITE_LIMIT_VDBE_OP:             1_000_000,
	lib.SQLITE_LIMIT_TRIGGER_DEPTH:       50,
	lib.SQLITE_LIMIT_ATTACHED:            0,
	lib.SQLITE_LIMIT_WORKER_THREADS:      0,
}

// limitUser sets the limits of user statements. evrun's own statements stay far below them.
func (l *limiter) limitUser(value int) error {
	if err := l.set(lib.SQLITE_LIMIT_LENGTH, value); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	for id, value := range sane {
		if err := l.set(id, value); err != nil {
			return fmt.Errorf("limits: %w", err)
		}
	}
	return nil
}
