package postgres

import (
	"context"
	"fmt"

	"evrun/events"
	"evrun/store"
)

// Append implements [store.Journal].
func (s *Store) Append(ctx context.Context, evs []*events.Event) ([]store.Receipt, error) {
	receipts := make([]store.Receipt, len(evs))
	err := s.change(ctx, func(t *txn) error {
		t.accept(evs, receipts)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	return receipts, nil
}
