package sqlite

import (
	"context"
	"fmt"

	"evrun/store"
	"evrun/store/sqlite/erase"
)

// Erase implements [store.Erasing].
func (s *Store) Erase(ctx context.Context, sequences []int64, step *store.Step) (done store.Erased, err error) {
	users, err := s.UsersOf(ctx, sequences) // beside the writer: no index has their events
	if err != nil {
		return done, err
	}
	err = s.w.submit(ctx, newOp(1+len(sequences), 0, func(t *txn) (err error) {
		if done, err = erase.Events(t.w.prepared, sequences, users, t.now); err != nil {
			return t.check(err)
		}
		changed := 0
		if step != nil {
			changed = step.Changed
		}
		return t.step(step, changed)
	}))
	if err != nil {
		return done, fmt.Errorf("erase events: %w", err)
	}
	return done, nil
}

// Scrub implements [store.Erasing].
func (s *Store) Scrub(ctx context.Context) error {
	if err := erase.Scrub(ctx, s, s.w.wal); err != nil {
		return fmt.Errorf("scrub the store: %w", err)
	}
	return nil
}
