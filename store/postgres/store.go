// Package postgres keeps evrun's store in a PostgreSQL database, which any number of daemons may share.
package postgres

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store"
	"evrun/store/postgres/prune"
	"evrun/store/postgres/schema"
)

// Options for opening a store.
type Options struct {
	store.Options
}

// Store is a store in a database. See [store.Store] for the promises of its methods.
type Store struct {
	store.Store // the methods that are not built yet: nil

	opt  Options
	id   string
	pool *pgxpool.Pool // for reads

	pruner *prune.Pruner
}

// Open connects to the database, and brings evrun's tables up to date.
func Open(ctx context.Context, address string, opt Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	c, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	if err := schema.Migrate(ctx, c, newStoreID); err != nil {
		return nil, err
	}
	s := &Store{opt: opt}
	if err := c.QueryRow(ctx, `SELECT value FROM evrun.meta WHERE key = 'id'`).Scan(&s.id); err != nil {
		return nil, fmt.Errorf("its id: %w", err)
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, err
	}
	s.pruner = prune.New(prune.Options{Pool: s.pool, Write: s.writePart, Now: opt.Now})
	return s, nil
}

func newStoreID() string {
	var b [5]byte
	rand.Read(b[:]) // documented never to fail
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// ID implements [store.Journal].
func (s *Store) ID() string { return s.id }

// Run implements [store.Store].
func (s *Store) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}
