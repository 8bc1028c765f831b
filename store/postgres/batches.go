package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/schema"
)

// StartBatch implements [store.Batches].
func (s *Store) StartBatch(ctx context.Context, b store.Batch, evs []*events.Event) (store.Batch, error) {
	err := s.change(ctx, func(t *txn) error {
		if err := t.pruneBatches(); err != nil {
			return err
		}
		n, err := t.exec(`INSERT INTO evrun.batches (id, action, details, actor, total, cursor, started_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT DO NOTHING`, b.ID, b.Action, string(b.Details), schema.Text(b.By), b.Total, b.Cursor, t.now)
		switch {
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("batch %s: %w", b.ID, store.ErrConflict)
		}
		b.StartedAt = schema.Time(t.now)
		t.emit(evs)
		return nil
	})
	if err != nil {
		return b, fmt.Errorf("start a batch: %w", err)
	}
	return b, nil
}

// pruneBatches makes room for one more batch.
func (t *txn) pruneBatches() error {
	_, err := t.exec(`DELETE FROM evrun.batches WHERE coalesce(changed_at, started_at) < $1`, t.now-store.KeepBatches.Microseconds())
	if err == nil {
		_, err = t.exec(`DELETE FROM evrun.batches WHERE id IN (
			SELECT id FROM evrun.batches ORDER BY coalesce(changed_at, started_at) DESC OFFSET $1)`, store.MaxBatches-1)
	}
	return err
}

// AdvanceBatch implements [store.Batches].
func (s *Store) AdvanceBatch(ctx context.Context, step store.Step, evs []*events.Event) (receipts []store.Receipt, err error) {
	err = s.change(ctx, func(t *txn) error {
		receipts = make([]store.Receipt, len(evs))
		t.accept(evs, receipts)
		return t.step(&step, func() (fresh int) {
			for _, rc := range receipts {
				if !rc.Duplicate {
					fresh++
				}
			}
			return fresh
		})
	})
	if err != nil {
		return nil, fmt.Errorf("continue batch %s: %w", step.Batch, err)
	}
	return receipts, nil
}

// step moves a batch; nil: none. changed is the number of things that this transaction has changed for it, once its events are accepted.
func (t *txn) step(step *store.Step, changed func() int) error {
	if step == nil {
		return nil
	}
	if err := t.findBatch(step.Batch, step.From); err != nil {
		return err
	}
	t.atEnd(`UPDATE evrun.batches SET cursor = $2, done = done + $3, changed = changed + $4, changed_at = $5 WHERE id = $1`, func() []any {
		return []any{step.Batch, step.To, step.Done, changed(), t.now}
	})
	return nil
}

// findBatch locks a batch that is where the caller believes it to be.
func (t *txn) findBatch(id, at string) error {
	err := t.row(`SELECT FROM evrun.batches WHERE id = $1 AND cursor = $2 AND ended_at IS NULL FOR UPDATE`, schema.Text(id), schema.Text(at)).Scan()
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrBatchMoved
	}
	return err
}

// EndBatch implements [store.Batches].
func (s *Store) EndBatch(ctx context.Context, id, from string, evs []*events.Event) error {
	err := s.change(ctx, func(t *txn) error {
		if err := t.findBatch(id, from); err != nil {
			return err
		}
		t.emit(evs)
		_, err := t.exec(`UPDATE evrun.batches SET changed_at = $2, ended_at = $2 WHERE id = $1`, id, t.now)
		return err
	})
	if err != nil {
		return fmt.Errorf("end batch %s: %w", id, err)
	}
	return nil
}
