package reads

import (
	"context"
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

// Sizes implements [store.Retention]. The file is that of evrun's own tables. The server can't say how much of it is free without reading it. But the space
// of deleted rows is used again before a table grows, so the tables of the journal have as much in use as events are left of the most that there were.
func (r *Reader) Sizes(ctx context.Context) (s store.Sizes, err error) {
	var journal, events, peak, accepted int64
	err = r.row(ctx, []any{&s.File, &journal, &s.Page, &events, &peak, &s.Oldest, &accepted}, `SELECT t.all, t.journal, current_setting('block_size')::bigint,
			least(j.head - p.events, CASE WHEN o.sequence IS NULL THEN 0 ELSE j.head - o.sequence + 1 END), p.peak, coalesce(o.sequence, 0), coalesce(o.accepted_at, 0)
		FROM (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS all,
				coalesce(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname IN ('events', 'runs', 'attempts', 'run_outputs')), 0)::bigint AS journal
			FROM pg_class c WHERE c.relnamespace = 'evrun'::regnamespace AND c.relkind = 'r') t,
			evrun.journal j, evrun.pruning p LEFT JOIN (SELECT e.sequence, e.accepted_at FROM evrun.events e ORDER BY e.sequence LIMIT 1) o ON true`)
	if err != nil {
		return s, fmt.Errorf("read the store's sizes: %w", err)
	}
	if s.Oldest != 0 {
		s.OldestAt = schema.Time(accepted)
	}
	if peak > events {
		s.Free = journal - int64(float64(journal)*float64(max(events, 0))/float64(peak))
	}
	return s, nil
}
