package copies

import (
	"context"

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
	read := conn.Prepare(c.Prepared)
	if err := checkVersion(read); err != nil {
		return 0, err
	}
	if sequence, err = read.Number(`SELECT ` + schema.JournalHead); err != nil {
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

// checkVersion refuses a file that is not a store, or is a newer evrun's.
func checkVersion(read conn.Prepare) error {
	application, err := read.Number(`PRAGMA application_id`)
	if err != nil {
		return err
	}
	version, err := read.Number(`PRAGMA user_version`)
	if err != nil {
		return err
	}
	return schema.CheckVersion(int(application), int(version), false)
}
