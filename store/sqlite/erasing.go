package sqlite

import (
	"context"
	"fmt"
	"time"

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

// scrubPages is how many unused pages Scrub gives back in one transaction, scrubTries how often it tries to empty the log.
const (
	scrubPages = 256
	scrubTries = 50
)

// Scrub implements [store.Erasing].
func (s *Store) Scrub(ctx context.Context) (err error) {
	for given := int64(1); err == nil && given > 0; {
		given, err = s.GiveBack(ctx, scrubPages)
	}
	if err == nil {
		err = erase.Pages(ctx, s.w.wal.Path())
	}
	if err != nil {
		return fmt.Errorf("scrub the store: %w", err)
	}
	for range scrubTries {
		if s.w.wal.GiveBack(ctx) {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("empty the write-ahead log: %w: another program reads the store", store.ErrBusy)
}
