package drivers

import (
	"context"
	"fmt"

	"evrun/cmd/config/settings"
	"evrun/store/postgres/conn"
	pg "evrun/store/postgres/transfer"
	lite "evrun/store/sqlite/transfer"
	"evrun/store/transfer"
)

// Source opens a store that moves elsewhere. Nobody else can write to it until it is closed.
func Source(ctx context.Context, s settings.Store) (transfer.Source, error) {
	if s.Shared() {
		open, err := pg.OpenSource(ctx, s.Address)
		if err != nil {
			return nil, fmt.Errorf("open store %s: %w", s, conn.Opening(err))
		}
		return open, nil
	}
	open, err := lite.OpenSource(s.Path)
	if err != nil {
		return nil, err
	}
	return open, nil
}

// Target opens the place where a store moves to.
func Target(ctx context.Context, s settings.Store) (transfer.Target, error) {
	if s.Shared() {
		open, err := pg.OpenTarget(ctx, s.Address)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", s, conn.Opening(err))
		}
		return open, nil
	}
	open, err := lite.OpenTarget(s.Path)
	if err != nil {
		return nil, err
	}
	return open, nil
}

// Definition is the statement that makes a table of the user's own in a place where it does not exist.
func Definition(in settings.Store, t *transfer.Table) string {
	if in.Shared() {
		return pg.Definition(t)
	}
	return lite.Definition(t)
}
