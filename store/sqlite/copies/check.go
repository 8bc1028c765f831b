package copies

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
	"evrun/store/transfer"
)

// ErrDamaged: pages of the file are not what they must be. It is a [store.ErrBroken], too.
var ErrDamaged error = damaged{}

type damaged struct{}

func (damaged) Error() string        { return "the file is damaged" }
func (damaged) Is(target error) bool { return target == store.ErrBroken }

// faultsShown is how many faults of a broken file are named.
const faultsShown = 3

// Check reads the whole file of a copy, at a resolved path, and says what it has. With full it compares the tables with their indexes, too, which takes
// about twice as long. Nobody else may use the file. A copy in WAL mode leaves it. Errors: [store.ErrNotStore], [store.ErrNewer], and
// [ErrDamaged].
func Check(ctx context.Context, path string, full bool) (store.Contents, error) {
	return look(ctx, path, conn.Target(path), true, func(db *sql.DB) error { return integrity(ctx, db, full) })
}

// Look says what the store at a resolved path has, whoever uses it.
func Look(ctx context.Context, path string) (store.Contents, error) {
	return look(ctx, path, conn.Reader(path), true, func(*sql.DB) error { return nil })
}

// Glance is [Look] without the number of events, which must be counted.
func Glance(ctx context.Context, path string) (store.Contents, error) {
	return look(ctx, path, conn.Reader(path), false, func(*sql.DB) error { return nil })
}

// Inspect is [Look], and reads the whole store, with full its indexes, too. The write-ahead log grows meanwhile.
func Inspect(ctx context.Context, path string, full bool) (store.Contents, error) {
	return look(ctx, path, conn.Reader(path), true, func(db *sql.DB) error { return integrity(ctx, db, full) })
}

func look(ctx context.Context, path, address string, count bool, check func(*sql.DB) error) (c store.Contents, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return c, err
	}
	if c.Bytes = info.Size(); c.Bytes == 0 {
		return c, fmt.Errorf("%w: the file is empty", store.ErrNotStore)
	}
	if err := conn.OFDLocking(); err != nil {
		return c, err
	}
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return c, conn.Translate(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if err = contents(ctx, db, &c, count); err == nil {
		err = check(db)
	}
	if errors.Is(err, store.ErrBroken) && !errors.Is(err, ErrDamaged) {
		err = ErrDamaged // its own text is about writing
	}
	return c, err
}

// contents reads what a store has.
func contents(ctx context.Context, db *sql.DB, c *store.Contents, count bool) error {
	var application int
	var first, last int64
	read := func(query string, to any) error {
		err := db.QueryRowContext(ctx, query).Scan(to)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return conn.Translate(err)
	}
	for _, q := range []struct {
		query string
		to    any
	}{
		{`PRAGMA application_id`, &application},
		{`PRAGMA user_version`, &c.Schema},
		{`SELECT value FROM meta WHERE key = 'id'`, &c.ID},
		{`SELECT ` + schema.JournalHead, &c.Sequence},
		{`SELECT count(*) FROM events`, &c.Events},
		{`SELECT accepted_at FROM events ORDER BY sequence LIMIT 1`, &first},
		{`SELECT accepted_at FROM events ORDER BY sequence DESC LIMIT 1`, &last},
	} {
		if q.to == &c.Events && !count {
			continue
		}
		if err := read(q.query, q.to); err != nil {
			return err
		}
		if q.to == &c.Schema {
			if err := schema.CheckVersion(application, c.Schema, false); err != nil {
				return err
			}
		}
	}
	if first > 0 {
		c.First, c.Last = schema.Time(first), schema.Time(last)
	}
	return nil
}

// SkipTo has the journal of a copy go on after a sequence, if it is not beyond it already. A copy of a store that has moved elsewhere can be used again.
func SkipTo(path string, sequence int64) error {
	c, err := conn.Open(conn.Target(path))
	if err != nil {
		return err
	}
	return errors.Join(c.Exec(fmt.Sprintf(`DELETE FROM meta WHERE key = '`+transfer.DepartureKey+`';
		INSERT INTO meta (key, value) SELECT 'head', %[1]d WHERE %[1]d > `+schema.JournalHead+`
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, sequence)), c.Close())
}

// Fold writes the write-ahead log of a database that nobody uses into its file, which then is all there is of it.
func Fold(path string) error {
	if err := conn.OFDLocking(); err != nil {
		return err
	}
	c, err := conn.Open(conn.Writer(path, "FULL"))
	if err != nil {
		return err
	}
	return errors.Join(c.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`), c.Close())
}

// integrity checks the pages of a database, with full also its indexes. The error is an [ErrDamaged] that names the first faults.
func integrity(ctx context.Context, db *sql.DB, full bool) error {
	check := "quick_check"
	if full {
		check = "integrity_check"
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf(`PRAGMA %s(%d)`, check, faultsShown))
	if err != nil {
		return conn.Translate(err)
	}
	defer rows.Close()
	var faults []string
	for rows.Next() {
		var fault string
		if err := rows.Scan(&fault); err != nil {
			return conn.Translate(err)
		}
		if fault != "ok" {
			fault = strings.TrimPrefix(fault, "*** in database main ***\n")
			faults = append(faults, strings.ReplaceAll(fault, "\n", "; "))
		}
	}
	if err := rows.Err(); err != nil {
		return conn.Translate(err)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %s", ErrDamaged, strings.Join(faults, "; "))
	}
	return nil
}
