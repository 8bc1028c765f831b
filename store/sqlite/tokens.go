package sqlite

import (
	"context"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/tokens"
)

// CreateToken implements [store.Tokens].
func (s *Store) CreateToken(ctx context.Context, t store.Token, evs []*events.Event) error {
	return s.changeTokens(ctx, "create token "+t.Name, evs, func(w *txn) error { return tokens.Create(w.w.prepared, t) })
}

// RevokeToken implements [store.Tokens].
func (s *Store) RevokeToken(ctx context.Context, name string, evs []*events.Event) error {
	return s.changeTokens(ctx, "revoke token", evs, func(w *txn) error { return tokens.Revoke(w.w.prepared, name) })
}

func (s *Store) changeTokens(ctx context.Context, what string, evs []*events.Event, change func(*txn) error) error {
	err := s.w.submit(ctx, newOp(1+len(evs), payload(evs), func(t *txn) error {
		if err := change(t); err != nil {
			return t.check(err)
		}
		return t.emit(evs)
	}))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
