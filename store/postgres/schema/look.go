package schema

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"evrun/store"
)

// Look returns the id of the store that a database has, and changes nothing. Errors: [store.ErrNotFound], [store.ErrOlder], [store.ErrNewer].
func Look(ctx context.Context, db interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}) (id string, err error) {
	var exists bool
	if err := db.QueryRow(ctx, `SELECT to_regclass('evrun.meta') IS NOT NULL`).Scan(&exists); err != nil {
		return "", err
	}
	if !exists {
		return "", fmt.Errorf("%w; no daemon has used this database yet: start evrun serve", store.ErrNotFound)
	}
	var version int
	if err := db.QueryRow(ctx, `SELECT (SELECT value FROM evrun.meta WHERE key = 'id'), (SELECT value::int FROM evrun.meta WHERE key = 'version')`).Scan(&id, &version); err != nil {
		return "", err
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	switch {
	case err != nil:
		return "", err
	case version < len(names):
		return "", store.ErrOlder
	case version > len(names):
		return "", fmt.Errorf("%w (its tables have version %d, this one knows %d)", store.ErrNewer, version, len(names))
	}
	return id, nil
}
