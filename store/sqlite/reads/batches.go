package reads

import (
	"context"
	"database/sql"
	"fmt"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// Batch implements [store.Batches].
func (r *Reader) Batch(ctx context.Context, id string) (store.Batch, error) {
	list, err := r.batches(ctx, `WHERE id = ?`, id)
	switch {
	case err != nil:
		return store.Batch{}, err
	case len(list) == 0:
		return store.Batch{}, fmt.Errorf("batch %q: %w", id, store.ErrNotFound)
	}
	return list[0], nil
}

// Batches implements [store.Batches].
func (r *Reader) Batches(ctx context.Context) ([]store.Batch, error) {
	return r.batches(ctx, `ORDER BY started_at DESC, id`)
}

func (r *Reader) batches(ctx context.Context, tail string, args ...any) ([]store.Batch, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT id, action, details, actor, total, cursor, done, changed, started_at, changed_at, ended_at FROM batches `+tail, args...)
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", conn.Translate(err))
	}
	defer rows.Close()
	var list []store.Batch
	for rows.Next() {
		var b store.Batch
		var started int64
		var changed, ended sql.NullInt64
		if err := rows.Scan(&b.ID, &b.Action, &b.Details, &b.By, &b.Total, &b.Cursor, &b.Done, &b.Changed, &started, &changed, &ended); err != nil {
			return nil, fmt.Errorf("read batches: %w", conn.Translate(err))
		}
		b.StartedAt = schema.Time(started)
		if changed.Valid {
			b.ChangedAt = schema.Time(changed.Int64)
		}
		if ended.Valid {
			b.EndedAt = schema.Time(ended.Int64)
		}
		list = append(list, b)
	}
	return list, conn.Translate(rows.Err())
}
