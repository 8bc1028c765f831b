package drivers

import (
	"context"
	"fmt"
	"path/filepath"

	"evrun/cmd/config/settings"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/sqlite"
)

// Scratch opens an empty store for a test of a wiring whose store is s: a SQLite file in dir. With own, the wiring has statements in the dialect of its
// store; then it is a new database on its server, if that is PostgreSQL. drop removes it once it is closed.
func Scratch(ctx context.Context, s settings.Store, dir string, own bool, opt Options) (open store.Store, drop func() error, err error) {
	if !s.Shared() || !own {
		opt.SQLite = func(o *sqlite.Options) { o.Synchronous = "normal" }
		open, err = Open(ctx, settings.Store{Path: filepath.Join(dir, "test.db")}, opt)
		return open, func() error { return nil }, err
	}
	if s.Address, drop, err = postgres.Scratch(ctx, s.Address); err != nil {
		return nil, nil, fmt.Errorf("tests with statements in PostgreSQL's dialect need a database of their own on its server; EVRUN_STORE names another one: %w", err)
	}
	opt.Node = &store.Node{Name: "test"}
	if open, err = Open(ctx, s, opt); err != nil {
		_ = drop() // the error of opening says more
		return nil, nil, err
	}
	return open, drop, nil
}
