package reads

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/schema"
)

// Pruning implements [store.Retention].
func (r *Reader) Pruning(ctx context.Context) (p store.Pruning, err error) {
	var announced, last *int64
	err = r.row(ctx, []any{&p.Old, &announced, &p.Scanned, &p.Total.Chains, &p.Total.Events, &p.Total.Runs, &p.Total.Bytes, &p.Keys, &last},
		`SELECT old, announced_at, scanned, chains, events, runs, bytes, keys, pruned_at FROM evrun.pruning`)
	if err == nil {
		p.Lost, err = list(ctx, r, func(rows pgx.Rows) (l store.Lost, err error) { return l, rows.Scan(&l.Handler, &l.Events, &l.Runs) },
			`SELECT h.name, l.events, l.runs FROM evrun.pruning_lost l JOIN evrun.handlers h ON h.id = l.handler ORDER BY h.name`)
	}
	if err != nil {
		return p, fmt.Errorf("read what was pruned: %w", err)
	}
	if announced != nil {
		p.Announced = schema.Time(*announced)
	}
	if last != nil {
		p.Last = schema.Time(*last)
	}
	return p, nil
}

// Sizes implements [store.Retention]. The file is that of evrun's own tables. How much of it is free is not known without reading them.
func (r *Reader) Sizes(ctx context.Context) (s store.Sizes, err error) {
	err = r.row(ctx, []any{&s.File, &s.Page}, `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint, current_setting('block_size')::bigint
		FROM pg_class c WHERE c.relnamespace = 'evrun'::regnamespace AND c.relkind = 'r'`)
	if err != nil {
		return s, fmt.Errorf("read the store's sizes: %w", err)
	}
	var accepted int64
	err = r.row(ctx, []any{&s.Oldest, &accepted}, `SELECT sequence, accepted_at FROM evrun.events ORDER BY sequence LIMIT 1`)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return s, nil
	case err != nil:
		return s, fmt.Errorf("read the store's sizes: %w", err)
	}
	s.OldestAt = schema.Time(accepted)
	return s, nil
}
