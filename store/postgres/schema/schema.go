// Package schema has the tables of the PostgreSQL store, their versions, and how values are written in them.
package schema

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"evrun/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables up to date, and makes them where there are none. Daemons that start at the same time wait for each other.
func Migrate(ctx context.Context, c *pgx.Conn, newID func() string) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
	// The lock ends with the transaction. Its number is evrun's own: "evru".
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(1702261365)`); err != nil {
		return err
	}
	var version int
	err = tx.QueryRow(ctx, `SELECT CASE WHEN to_regclass('evrun.meta') IS NULL THEN 0 ELSE 1 END`).Scan(&version)
	if err != nil {
		return err
	}
	if version == 0 {
		if _, err := tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS evrun`); err != nil {
			return err
		}
	} else if err := tx.QueryRow(ctx, `SELECT value::int FROM evrun.meta WHERE key = 'version'`).Scan(&version); err != nil {
		return err
	}
	if version > len(names) {
		return fmt.Errorf("%w (its tables have version %d, this one knows %d)", store.ErrNewer, version, len(names))
	}
	for _, name := range names[version:] {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if version < len(names) {
		if _, err := tx.Exec(ctx, `INSERT INTO evrun.meta (key, value) VALUES ('version', $1), ('id', $2)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.key = 'version'`, fmt.Sprint(len(names)), newID()); err != nil {
			return err
		}
	}
	return tx.Commit(ctx)
}
