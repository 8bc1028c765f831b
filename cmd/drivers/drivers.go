// Package drivers opens the store that the settings name: a SQLite file, or a PostgreSQL database. Beside what works on the files of a SQLite store, nothing
// else in cmd knows which it is. No goroutines but those of an open store.
package drivers

import (
	"context"
	"errors"
	"fmt"
	"os"

	"evrun/cmd/config/settings"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/conn"
	"evrun/store/sqlite"
	"evrun/store/sqlite/database"
)

// Options for opening a store. The zero value is usable.
type Options struct {
	store.Options
	// SQLite and Postgres change what only one kind of store has, for tests. Default: nothing.
	SQLite   func(*sqlite.Options)
	Postgres func(*postgres.Options)
}

// Open opens a store for reading and writing. It makes the tables of one that does not exist yet, and a SQLite file. See the drivers for its errors.
func Open(ctx context.Context, s settings.Store, opt Options) (store.Store, error) {
	if s.Shared() {
		o := postgres.Options{Options: opt.Options}
		if opt.Postgres != nil {
			opt.Postgres(&o)
		}
		return opened(s)(postgres.Open(ctx, s.Address, o))
	}
	o := sqlite.Options{Options: opt.Options, Synchronous: s.Synchronous, MaxWAL: s.MaxWAL}
	if opt.SQLite != nil {
		opt.SQLite(&o)
	}
	opened, err := sqlite.Open(s.Path, o)
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// opened names the database in an error: drivers of files do so themselves.
func opened(s settings.Store) func(*postgres.Store, error) (store.Store, error) {
	return func(open *postgres.Store, err error) (store.Store, error) {
		if err != nil {
			return nil, fmt.Errorf("open store %s: %w", s, conn.Opening(err))
		}
		return open, nil
	}
}

// OpenReader opens an existing store for reading. If it does not exist, the error is [store.ErrNotFound].
func OpenReader(ctx context.Context, s settings.Store) (store.Store, error) {
	if s.Shared() {
		return opened(s)(postgres.OpenReader(ctx, s.Address, postgres.Options{}))
	}
	open, err := sqlite.OpenReader(s.Path)
	if err != nil {
		return nil, err
	}
	return open, nil
}

// Read opens a store for reading while do runs. Errors are those of [OpenReader].
func Read(ctx context.Context, s settings.Store, do func(store.Store) error) error {
	open, err := OpenReader(ctx, s)
	if err != nil {
		return err
	}
	defer open.Close()
	return do(open)
}

// With opens a store as [Open] does, runs it while do uses it, and closes it. The store goes on until do returns, even if ctx ends before.
func With(ctx context.Context, s settings.Store, opt Options, do func(store.Store) error) error {
	open, err := Open(ctx, s, opt)
	if err != nil {
		return err
	}
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- open.Run(writing) }()
	err = do(open)
	stop()
	return errors.Join(err, <-ended, open.Close())
}

// Exists reports whether a daemon or a command has made the store. A SQLite file that can't be looked at exists.
func Exists(ctx context.Context, s settings.Store) (bool, error) {
	if s.Shared() {
		exists, err := postgres.Exists(ctx, s.Address)
		if err != nil {
			err = fmt.Errorf("store %s: %w", s, conn.Opening(err))
		}
		return exists, err
	}
	_, err := os.Stat(s.Path)
	return !errors.Is(err, os.ErrNotExist), nil
}

// Dialect is the name of a store's dialect of SQL.
func Dialect(s settings.Store) string {
	if s.Shared() {
		return "PostgreSQL"
	}
	return "SQLite"
}

// Parsers returns what reads statements in the dialect of a store, and in that of the other files that sql handlers may name.
func Parsers(s settings.Store) (own, files store.StatementParser) {
	if s.Shared() {
		return postgres.ParseStatement, sqlite.ParseStatement
	}
	return sqlite.ParseStatement, sqlite.ParseStatement
}

// OpenFile opens another SQLite file, for the sql handlers that name it; create makes it if it does not exist.
func OpenFile(path string, create bool) (store.Database, error) { return database.Open(path, create) }

// SetWiring tells the other daemons that share a store that this one has another wiring now: see [store.Node].
func SetWiring(ctx context.Context, s store.Store, wiring string) error {
	if shared, ok := s.(interface {
		SetWiring(ctx context.Context, wiring string) error
	}); ok {
		return shared.SetWiring(ctx, wiring)
	}
	return nil
}

// WAL is the state of the write-ahead log of a store that has one to itself; otherwise it is empty.
func WAL(s store.Store) store.WAL {
	if has, ok := s.(interface{ WAL() store.WAL }); ok {
		return has.WAL()
	}
	return store.WAL{}
}
