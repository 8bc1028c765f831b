// Package schema has the tables of a store, as numbered migrations, and brings a file up to date. It also has what package sqlite, which writes the
// tables, and package reads must say alike: how values are stored, a handler's row, and the SQL that both use. It has no goroutine.
package schema

import (
	"crypto/rand"
	"embed"
	"encoding/base32"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"evrun/store"
	"evrun/store/sqlite/conn"
)

// ApplicationID marks the file as evrun's ("evrn"), in SQLite's header field for that.
const ApplicationID = 0x6576726e

// Migrations are numbered from 001 without a gap; the number of the last one that ran is the file's user_version. A
// migration that has been released is never changed.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Migrate brings the schema up to date in one transaction.
func Migrate(c *conn.Conn) error {
	files, err := fs.Glob(Migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	pragma := func(name string) (int, error) {
		n, err := conn.Prepare(c.Prepared).Number(name)
		return int(n), err
	}
	if err := c.Exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			_ = c.Exec(`ROLLBACK`) // the first error says more
		}
	}()
	application, err := pragma(`PRAGMA application_id`)
	if err != nil {
		return err
	}
	version, err := pragma(`PRAGMA user_version`)
	if err != nil {
		return err
	}
	tables, err := pragma(`SELECT count(*) FROM sqlite_schema`)
	if err != nil {
		return err
	}
	if err := CheckVersion(application, version, tables == 0); err != nil {
		return err
	}
	for _, name := range files {
		n, err := strconv.Atoi(strings.SplitN(strings.TrimPrefix(name, "migrations/"), "_", 2)[0])
		if err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
		if n <= version {
			continue
		}
		script, err := Migrations.ReadFile(name)
		if err != nil {
			return err
		}
		text, err := freeViews(c, string(script))
		if err != nil {
			return err
		}
		if err := c.Exec(text); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
		version = n
	}
	if err := c.Exec(fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d;
		INSERT INTO meta (key, value) VALUES ('id', '%s') ON CONFLICT DO NOTHING`, ApplicationID, version, newStoreID())); err != nil {
		return err
	}
	if err := c.Exec(raiseHead); err != nil {
		return fmt.Errorf("the journal's head: %w", err)
	}
	if err := c.Exec(`COMMIT`); err != nil {
		return err
	}
	done = true
	return nil
}

// JournalHead is an SQL expression for the last sequence ever assigned. If the last events were deleted, meta has it.
const JournalHead = `max(ifnull((SELECT max(sequence) FROM events), 0), ifnull((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'head'), 0))`

// raiseHead keeps the journal's head at or above every mark and every run. An older evrun, or another program without the trigger of 008_head.sql,
// may have deleted the last events. Their sequences would otherwise be assigned again below the marks, and the new events would not be handled.
const raiseHead = `INSERT INTO meta (key, value)
	SELECT 'head', known FROM (SELECT max(ifnull((SELECT max(low_water) FROM handlers), 0), ifnull((SELECT max(sequence) FROM runs), 0)) AS known)
	WHERE known > ` + JournalHead + ` ON CONFLICT (key) DO UPDATE SET value = excluded.value`

// CheckVersion refuses files that aren't ours, or are too new for us.
func CheckVersion(application, version int, empty bool) error {
	if application == 0 && empty {
		return nil
	}
	if application != ApplicationID {
		return fmt.Errorf("%w: the file is another program's database", store.ErrNotStore)
	}
	if newest := NewestVersion(); version > newest {
		return fmt.Errorf("%w: its schema has version %d, this evrun knows up to %d", store.ErrNewer, version, newest)
	}
	return nil
}

// NewestVersion is the version that [Migrate] brings a file to.
func NewestVersion() int {
	files, _ := fs.Glob(Migrations, "migrations/*.sql") // the pattern is right
	return len(files)
}

func newStoreID() string {
	var b [5]byte
	rand.Read(b[:]) // documented never to fail
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}
