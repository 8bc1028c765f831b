package postgres

import (
	"context"
	"fmt"

	"evrun/events"
	"evrun/store"
)

// Append implements [store.Journal].
func (s *Store) Append(ctx context.Context, evs []*events.Event) ([]store.Receipt, error) {
	o := &op{weight: len(evs), evs: evs, receipts: make([]store.Receipt, len(evs))}
	for _, e := range evs {
		o.bytes += len(e.Data)
	}
	if err := s.appends.submit(ctx, o); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	return o.receipts, nil
}

// Start implements [store.Runs].
func (s *Store) Start(ctx context.Context, claims []store.Claim) ([]bool, error) {
	o := &op{weight: len(claims), claims: claims, started: make([]bool, len(claims))}
	for i := range claims {
		o.weight += len(claims[i].Joins)
	}
	if err := s.writer.submit(ctx, o); err != nil {
		return nil, fmt.Errorf("start attempts: %w", err)
	}
	return o.started, nil
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.appends.submit(ctx, &op{}) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
