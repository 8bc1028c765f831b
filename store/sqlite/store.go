// Package sqlite keeps evrun's store in one SQLite file, through the pure-Go driver modernc.org/sqlite.
//
// There is one connection that writes, and one goroutine at a time that uses it. Under load this is [Store.Run]: it takes all waiting appends and
// settlements into one transaction, so that one fsync serves hundreds of them. While nothing waits, a caller commits its own write. Readers never
// wait for the writer (WAL mode). Rows of one kind that follow each other in a transaction (events, runs, users) are written by statements of 32 rows:
// see groups.go.
//
// The writing process holds a lock on a file next to the database, its name with ".lock" appended. SQLite's own locks would let two daemons write in
// turns.
//
// User statements run in the writer's transactions too, under a guard that keeps evrun's own tables from being
// written, and with a time limit: see [store.Tx]. They take turns with other writes: a transaction runs them for 50 ms in all, and
// waiting writes go before the next ones. Package database runs user statements on other files, package guard has the rules.
//
// This package writes. What only reads is package reads, whose Reader the store embeds; a write that begins with a query (Retry, Drop, Rewire) asks it
// first, and checks again in its transaction. Both know the tables from package schema. Other packages below: conn (a connection below
// database/sql), disk (the files and their lock), wal (its bound), copies (backups of the file).
//
// Package cmd and its daemon open stores; all others know [store.Store]. The goroutine that calls Store.Run is the writer's; it owns two more, which
// watch the files (watch.go) and keep the log's bound (package wal).
//
// Limits: a local file system (network ones are refused: their locks don't hold), and one writing process.
//
//	s, err := sqlite.Open("evrun.db", sqlite.Options{})
//	go s.Run(ctx)
//	receipts, err := s.Append(ctx, []*events.Event{e}) // on disk when it returns
package sqlite

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"evrun/store"
	"evrun/store/sqlite/disk"
	"evrun/store/sqlite/prune"
	"evrun/store/sqlite/reads"
)

// Store is a store in one file. See [store.Store] for the promises of its methods.
type Store struct {
	*reads.Reader // the methods that only read
	*prune.Pruner // what keeps the store from growing

	path    string
	w       *writer // nil when opened for reading
	lock    *disk.Lock
	files   disk.Opened
	keepWAL atomic.Bool // at the end, see watch

	backups sync.RWMutex // held for reading while a backup is made
	ending  sync.Mutex   // held by the backup that ends after the writer has
}

var _ store.Store = (*Store)(nil)

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	o := newOp(0, 0, func(*txn) error { return nil })
	if err := s.w.enqueue(ctx, o); err != nil {
		return err
	}
	select {
	case err := <-o.done:
		return err
	case <-s.w.stopped:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run implements [store.Store].
func (s *Store) Run(ctx context.Context) error {
	watching, stop := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	if !s.w.opt.Unwatched {
		watch.Go(func() { s.watch(watching) })
		watch.Go(func() { s.w.wal.Tend(watching) })
	}
	err := s.w.run(ctx)
	stop()
	watch.Wait()
	return err
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.backups.Lock() // they have noticed the writer's end, and must give its connection back
	defer s.backups.Unlock()
	errs := []error{s.Reader.Close(), s.Pruner.Close()}
	if s.w != nil {
		if s.keepWAL.Load() {
			errs = append(errs, s.w.conn.KeepWAL())
		}
		errs = append(errs, s.w.user.Close(), s.w.conn.Close())
		s.lock.Release()
	}
	return errors.Join(errs...)
}

// WAL returns the state of the write-ahead log at its last check; while the store runs, there are two per second.
func (s *Store) WAL() store.WAL {
	if s.w == nil || s.w.wal.State() == nil {
		return store.WAL{}
	}
	return *s.w.wal.State()
}
