package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"evrun/store"
	"evrun/store/postgres/erase"
	"evrun/store/postgres/prune"
)

// writePart runs do in a transaction of the store, for the packages below.
func (s *Store) writePart(ctx context.Context, do func(prune.Tx) error) error {
	return s.change(ctx, func(t *txn) error { return do(part{t}) })
}

// Prune implements [store.Retention].
func (s *Store) Prune(ctx context.Context, q store.PruneQuery) (store.PruneStep, error) {
	return s.pruner.Prune(ctx, q)
}

// ForgetKeys implements [store.Retention].
func (s *Store) ForgetKeys(ctx context.Context, after []byte, before time.Time) (next []byte, forgotten int64, err error) {
	return s.pruner.ForgetKeys(ctx, after, before)
}

// AnnouncePruning implements [store.Retention].
func (s *Store) AnnouncePruning(ctx context.Context) error { return s.pruner.AnnouncePruning(ctx) }

// GiveBack implements [store.Retention].
func (s *Store) GiveBack(ctx context.Context, pages int64) (int64, error) {
	return s.pruner.GiveBack(ctx, pages)
}

// Erase implements [store.Erasing].
func (s *Store) Erase(ctx context.Context, sequences []int64, step *store.Step) (done store.Erased, err error) {
	err = s.change(ctx, func(t *txn) (err error) {
		if done, err = erase.Events(part{t}, sequences, t.now); err != nil {
			return err
		}
		return t.step(step, func() int { return step.Changed })
	})
	if err != nil {
		return done, fmt.Errorf("erase events: %w", err)
	}
	return done, nil
}

// Scrub implements [store.Erasing]. What it can't do is at package erase.
func (s *Store) Scrub(ctx context.Context) error {
	if err := erase.Scrub(ctx, s.pool); err != nil {
		return fmt.Errorf("scrub the store: %w", err)
	}
	return nil
}

// errBackup: it is the server's own tools that make backups.
var errBackup = fmt.Errorf("%w: the store is in PostgreSQL, which has its own backups (pg_dump, or pg_basebackup with archived WAL); "+
	"evrun migrate --to copy.db makes a file of it", errors.ErrUnsupported)

// Backup implements [store.Backups]: it refuses.
func (s *Store) Backup(context.Context, string, func(done, all int64)) (int64, error) {
	return 0, errBackup
}
