package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store/postgres/conn"
	"evrun/store/postgres/prune"
	"evrun/store/postgres/reads"
	"evrun/store/postgres/schema"
)

// OpenReader opens the store that a database has for reading: also one that is a standby of another. Methods that write fail. If the database has no
// store, the error is [store.ErrNotFound]; if this version must migrate it first, [store.ErrOlder].
func OpenReader(ctx context.Context, address string, opt Options) (_ *Store, err error) {
	config, err := conn.ParsePool(address)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	pool, err := upkeep(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			pool.Close()
		}
	}()
	s := &Store{opt: opt, pool: pool, user: newUserReads(config), pruner: prune.New(prune.Options{Pool: pool, Now: time.Now})}
	s.makeWriters() // they don't run
	if s.id, err = schema.Look(ctx, pool); err != nil {
		return nil, err
	}
	if s.Reader, err = reads.Open(ctx, config, s.id); err != nil {
		return nil, err
	}
	return s, nil
}

// Exists reports whether a database has a store.
func Exists(ctx context.Context, address string) (bool, error) {
	config, err := conn.Parse(address)
	if err != nil {
		return false, err
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := c.QueryRow(ctx, `SELECT to_regclass('evrun.meta') IS NOT NULL`).Scan(&exists); err != nil {
		return false, fmt.Errorf("look for a store: %w", err)
	}
	return exists, nil
}
