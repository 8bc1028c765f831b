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

// Sizes implements [store.Retention]. The file is that of evrun's own tables, with their indexes. How much of it is free is an estimate: a table should be
// as large as its living rows are, by the server's statistics of their number and width. An index is taken to be as full as its table.
func (r *Reader) Sizes(ctx context.Context) (s store.Sizes, err error) {
	err = r.row(ctx, []any{&s.File, &s.Free, &s.Page}, `WITH t AS (
			SELECT c.oid, pg_total_relation_size(c.oid) AS total, pg_relation_size(c.oid) AS heap, coalesce(pg_stat_get_live_tuples(c.oid), 0) AS rows,
				(SELECT sum(avg_width * (1 - null_frac)) FROM pg_stats WHERE schemaname = 'evrun' AND tablename = c.relname) AS width
			FROM pg_class c WHERE c.relnamespace = 'evrun'::regnamespace AND c.relkind = 'r')
		SELECT coalesce(sum(total), 0)::bigint,
			coalesce(sum(CASE WHEN heap > 0 AND width > 0 THEN total * greatest(0, 1 - rows * (width + $1) / heap) END), 0)::bigint, current_setting('block_size')::bigint FROM t`,
		rowHead)
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

// rowHead is what a row takes beside its columns: its header, its place in the page's list, and padding, about.
const rowHead = 32
