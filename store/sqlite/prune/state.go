package prune

import (
	"context"
	"database/sql/driver"
	"fmt"

	"evrun/store"
	"evrun/store/files"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// Pruning implements [store.Retention].
func (p *Pruner) Pruning(context.Context) (s store.Pruning, err error) {
	err = p.reading(func() error {
		err := p.query(`SELECT old, announced_at, scanned, chains, events, runs, bytes, keys, pruned_at FROM pruning`, func(row []driver.Value) error {
			old, _ := row[0].(int64)
			s.Old = old != 0
			if at, ok := row[1].(int64); ok {
				s.Announced = schema.Time(at)
			}
			for i, to := range []*int64{&s.Scanned, &s.Total.Chains, &s.Total.Events, &s.Total.Runs, &s.Total.Bytes, &s.Keys} {
				*to, _ = row[2+i].(int64)
			}
			if at, ok := row[8].(int64); ok {
				s.Last = schema.Time(at)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return p.query(`SELECT h.name, l.events, l.runs FROM pruning_lost l JOIN handlers h ON h.id = l.handler ORDER BY h.name`, func(row []driver.Value) error {
			var lost store.Lost
			lost.Handler, _ = row[0].(string)
			lost.Events, _ = row[1].(int64)
			lost.Runs, _ = row[2].(int64)
			s.Lost = append(s.Lost, lost)
			return nil
		})
	})
	if err != nil {
		return s, fmt.Errorf("read what was pruned: %w", err)
	}
	return s, nil
}

// AnnouncePruning implements [store.Retention].
func (p *Pruner) AnnouncePruning(ctx context.Context) error {
	if p.o.Write == nil {
		return store.ErrReadOnly
	}
	_, err := p.write(ctx, func(w conn.Prepare) error {
		_, err := w.Exec(`UPDATE pruning SET announced_at = ? WHERE announced_at IS NULL`, p.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("announce pruning: %w", err)
	}
	return nil
}

// Sizes implements [store.Retention].
func (p *Pruner) Sizes(context.Context) (s store.Sizes, err error) {
	err = p.reading(func() error {
		var pages, free, vacuum int64
		for query, to := range map[string]*int64{`PRAGMA page_size`: &s.Page, `PRAGMA page_count`: &pages, `PRAGMA freelist_count`: &free, `PRAGMA auto_vacuum`: &vacuum} {
			if err := p.query(query, func(row []driver.Value) error {
				*to, _ = row[0].(int64)
				return nil
			}); err != nil {
				return err
			}
		}
		s.File, s.Free, s.Shrinks = pages*s.Page, free*s.Page, vacuum != 0
		return p.query(`SELECT sequence, accepted_at FROM events ORDER BY sequence LIMIT 1`, func(row []driver.Value) error {
			s.Oldest, _ = row[0].(int64)
			at, _ := row[1].(int64)
			s.OldestAt = schema.Time(at)
			return nil
		})
	})
	if err != nil {
		return s, fmt.Errorf("read the store's sizes: %w", err)
	}
	s.WAL = files.Size(p.o.Path + "-wal")
	return s, nil
}

// GiveBack implements [store.Retention].
func (p *Pruner) GiveBack(ctx context.Context, pages int64) (given int64, err error) {
	_, err = p.write(ctx, func(w conn.Prepare) error {
		if vacuum, err := w.Number(`PRAGMA auto_vacuum`); err != nil || vacuum == 0 {
			return err
		}
		before, err := w.Number(`PRAGMA freelist_count`)
		if err != nil || before == 0 {
			return err
		}
		vacuuming, err := w(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, pages))
		if err != nil {
			return err
		}
		// It gives back a page for each row.
		if err := vacuuming.Query(func([]driver.Value) error { return nil }); err != nil && !conn.NoRows(err) {
			return err
		}
		after, err := w.Number(`PRAGMA freelist_count`)
		given = before - after
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("give free pages back: %w", err)
	}
	return given, nil
}
