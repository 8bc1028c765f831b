package copies

import (
	"context"
	"database/sql/driver"

	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// snapshotStep is how many pages are copied between two looks at the context.
const snapshotStep = 1024

// Snapshot copies the database at from to an empty file as it is at one moment, whoever writes to it. It returns the sequence of the copy's last event.
func Snapshot(ctx context.Context, from, to string, report func(done, all int64)) (sequence int64, err error) {
	c, err := conn.Open(conn.Reader(from))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.Exec(`BEGIN`); err != nil {
		return 0, err
	}
	if _, err := version(c); err != nil {
		return 0, err
	}
	if sequence, err = number(c, `SELECT `+schema.JournalHead); err != nil {
		return 0, err
	}
	b, err := Begin(c, to)
	if err != nil {
		return 0, err
	}
	for more := true; more && err == nil; {
		more, err = b.Step(snapshotStep)
		if report(b.Size()); ctx.Err() != nil && more {
			err = context.Cause(ctx)
		}
	}
	if eerr := b.End(); err == nil {
		err = eerr
	}
	return sequence, err
}

// version returns the version of a store's tables. It refuses a file that is no store, or a newer evrun's.
func version(c *conn.Conn) (int, error) {
	application, err := number(c, `PRAGMA application_id`)
	if err != nil {
		return 0, err
	}
	v, err := number(c, `PRAGMA user_version`)
	if err != nil {
		return 0, err
	}
	return int(v), schema.CheckVersion(int(application), int(v), false)
}

// number reads one number.
func number(c *conn.Conn, query string) (int64, error) {
	st, err := c.PrepareOnce(query)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	var row [1]driver.Value
	if err := st.QueryRow(row[:]); err != nil {
		return 0, err
	}
	n, _ := row[0].(int64) // NULL: 0
	return n, nil
}
