package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/schema"
)

// StartBatch implements [store.Batches].
func (s *Store) StartBatch(ctx context.Context, b store.Batch, evs []*events.Event) (store.Batch, error) {
	err := s.w.submit(ctx, newOp(1+len(evs), payload(evs)+len(b.Details), func(t *txn) error {
		if err := t.pruneBatches(); err != nil {
			return t.check(err)
		}
		insert, err := t.w.prepared(`INSERT INTO batches (id, action, details, actor, total, cursor, started_at) VALUES (?, ?, ?, ?, ?, ?, ?)`)
		if err == nil {
			_, err = insert.Exec(b.ID, b.Action, string(b.Details), b.By, int64(b.Total), b.Cursor, t.now)
		}
		if err != nil {
			return t.check(err)
		}
		b.StartedAt = schema.Time(t.now)
		return t.emit(evs)
	}))
	if err != nil {
		return b, fmt.Errorf("start a batch: %w", err)
	}
	return b, nil
}

// pruneBatches makes room for one more batch.
func (t *txn) pruneBatches() error {
	for query, value := range map[string]int64{
		`DELETE FROM batches WHERE ifnull(changed_at, started_at) < ?`:                                                            t.now - store.KeepBatches.Microseconds(),
		`DELETE FROM batches WHERE id IN (SELECT id FROM batches ORDER BY ifnull(changed_at, started_at) DESC LIMIT -1 OFFSET ?)`: store.MaxBatches - 1,
	} {
		prune, err := t.w.prepared(query)
		if err != nil {
			return err
		}
		if _, err := prune.Exec(value); err != nil {
			return err
		}
	}
	return nil
}

// AdvanceBatch implements [store.Batches].
func (s *Store) AdvanceBatch(ctx context.Context, step store.Step, evs []*events.Event) ([]store.Receipt, error) {
	receipts := make([]store.Receipt, len(evs))
	err := s.w.submit(ctx, newOp(1+len(evs), payload(evs), func(t *txn) error {
		if err := t.append(evs, receipts); err != nil {
			return err
		}
		fresh := 0
		for _, rc := range receipts {
			if !rc.Duplicate {
				fresh++
			}
		}
		return t.step(&step, fresh)
	}))
	if err != nil {
		return nil, fmt.Errorf("continue batch %s: %w", step.Batch, err)
	}
	return receipts, nil
}

// step moves a batch; nil: none. changed is the number of things that this transaction has changed for it.
func (t *txn) step(step *store.Step, changed int) error {
	if step == nil {
		return nil
	}
	return t.moveBatch(`UPDATE batches SET cursor = ?3, done = done + ?4, changed = changed + ?5, changed_at = ?6
		WHERE id = ?1 AND cursor = ?2 AND ended_at IS NULL`, step.Batch, step.From, step.To, int64(step.Done), int64(changed), t.now)
}

// EndBatch implements [store.Batches].
func (s *Store) EndBatch(ctx context.Context, id, from string, evs []*events.Event) error {
	err := s.w.submit(ctx, newOp(1+len(evs), payload(evs), func(t *txn) error {
		if err := t.moveBatch(`UPDATE batches SET changed_at = ?3, ended_at = ?3 WHERE id = ?1 AND cursor = ?2 AND ended_at IS NULL`, id, from, t.now); err != nil {
			return err
		}
		return t.emit(evs)
	}))
	if err != nil {
		return fmt.Errorf("end batch %s: %w", id, err)
	}
	return nil
}

// moveBatch runs an update of one batch that is where the caller believes it to be.
func (t *txn) moveBatch(query string, args ...driver.Value) error {
	update, err := t.w.prepared(query)
	if err != nil {
		return t.check(err)
	}
	n, err := update.Exec(args...)
	switch {
	case err != nil:
		return t.check(err)
	case n == 0:
		return store.ErrBatchMoved
	}
	return nil
}
