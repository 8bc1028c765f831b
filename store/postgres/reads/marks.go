package reads

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/schema"
)

// ScheduleMarks implements [store.Schedules].
func (r *Reader) ScheduleMarks(ctx context.Context) (map[string]store.ScheduleMark, error) {
	marks := map[string]store.ScheduleMark{}
	err := r.each(ctx, func(rows pgx.Rows) error {
		var m store.ScheduleMark
		var since, slot int64
		var fired *int64
		if err := rows.Scan(&m.Name, &since, &slot, &fired, &m.Timing, &m.Paused); err != nil {
			return err
		}
		m.Since, m.Slot = schema.Time(since), schema.Time(slot)
		if fired != nil {
			m.Fired = schema.Time(*fired)
		}
		marks[m.Name] = m
		return nil
	}, `SELECT name, since, slot, fired, timing, paused FROM evrun.schedules`)
	if err != nil {
		return nil, fmt.Errorf("schedule marks: %w", err)
	}
	return marks, nil
}

// StoredTokens implements [store.Tokens].
func (r *Reader) StoredTokens(ctx context.Context) ([]store.Token, error) {
	found, err := list(ctx, r, func(rows pgx.Rows) (t store.Token, err error) {
		var rights string
		var created int64
		var expires *int64
		if err := rows.Scan(&t.Name, &t.Hash, &rights, &t.Rate, &t.By, &created, &expires); err != nil {
			return t, err
		}
		t.Rights, t.Created = strings.Split(rights, "\n"), schema.Time(created)
		if expires != nil {
			t.Expires = schema.Time(*expires)
		}
		return t, nil
	}, `SELECT name, hash, rights, rate, actor, created_at, expires_at FROM evrun.tokens ORDER BY name COLLATE "C"`)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	return found, nil
}

// Batch implements [store.Batches].
func (r *Reader) Batch(ctx context.Context, id string) (store.Batch, error) {
	found, err := r.batches(ctx, `WHERE id = $1`, id)
	switch {
	case err != nil:
		return store.Batch{}, err
	case len(found) == 0:
		return store.Batch{}, fmt.Errorf("batch %q: %w", id, store.ErrNotFound)
	}
	return found[0], nil
}

// Batches implements [store.Batches].
func (r *Reader) Batches(ctx context.Context) ([]store.Batch, error) {
	return r.batches(ctx, `ORDER BY started_at DESC, id COLLATE "C"`)
}

func (r *Reader) batches(ctx context.Context, tail string, args ...any) ([]store.Batch, error) {
	found, err := list(ctx, r, func(rows pgx.Rows) (b store.Batch, err error) {
		var started int64
		var changed, ended *int64
		if err := rows.Scan(&b.ID, &b.Action, &b.Details, &b.By, &b.Total, &b.Cursor, &b.Done, &b.Changed, &started, &changed, &ended); err != nil {
			return b, err
		}
		b.StartedAt = schema.Time(started)
		if changed != nil {
			b.ChangedAt = schema.Time(*changed)
		}
		if ended != nil {
			b.EndedAt = schema.Time(*ended)
		}
		return b, nil
	}, `SELECT id, action, details, actor, total, cursor, done, changed, started_at, changed_at, ended_at FROM evrun.batches `+tail, args...)
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	return found, nil
}
