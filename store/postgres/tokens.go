package postgres

import (
	"context"
	"fmt"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/registry"
	"evrun/store/postgres/schema"
)

// CreateToken implements [store.Tokens].
func (s *Store) CreateToken(ctx context.Context, token store.Token, evs []*events.Event) error {
	return s.changeTokens(ctx, "create token "+token.Name, evs, func(t *txn) error { return t.createToken(token) })
}

// RevokeToken implements [store.Tokens].
func (s *Store) RevokeToken(ctx context.Context, name string, evs []*events.Event) error {
	return s.changeTokens(ctx, "revoke token", evs, func(t *txn) error {
		n, err := t.exec(`DELETE FROM evrun.tokens WHERE name = $1`, schema.Text(name))
		if err == nil && n == 0 {
			err = fmt.Errorf("token %q: %w", name, store.ErrNotFound)
		}
		return err
	})
}

func (s *Store) changeTokens(ctx context.Context, what string, evs []*events.Event, do func(*txn) error) error {
	err := s.change(ctx, func(t *txn) error {
		if err := do(t); err != nil {
			return err
		}
		t.tell(store.Foreign{Tokens: true})
		t.emit(evs)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (t *txn) createToken(token store.Token) error {
	if err := registry.Alone(part{t}, registry.Tokens); err != nil { // they are counted
		return err
	}
	var all, known int
	err := t.row(`SELECT count(*), count(*) FILTER (WHERE name = $1 OR hash = $2) FROM evrun.tokens`, token.Name, token.Hash).Scan(&all, &known)
	switch {
	case err != nil:
		return err
	case known > 0:
		return store.ErrTokenExists
	case all >= store.MaxTokens:
		return store.ErrTooManyTokens
	}
	var expires any
	if !token.Expires.IsZero() {
		expires = schema.Micros(token.Expires)
	}
	_, err = t.exec(`INSERT INTO evrun.tokens (name, hash, rights, rate, actor, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		token.Name, token.Hash, strings.Join(token.Rights, "\n"), token.Rate, schema.Text(token.By), schema.Micros(token.Created), expires)
	return err
}
