// Package sqlite keeps evrun's store in one SQLite file, through the pure-Go driver modernc.org/sqlite.
//
// One goroutine, [Store.Run], owns the only connection that writes: it takes whatever appends and settlements are waiting
// into one transaction, so that under load one fsync serves hundreds of them. Readers have a pool of their own and never
// wait for it (WAL mode).
//
// A file next to the database, its name and ".lock", is held by the process that writes; SQLite's own locks would let two
// daemons take turns.
//
// Statements of the user's own run in the writer's transactions too, under a guard that keeps evrun's own tables from being
// written, and under a clock: see [store.Tx]. They take turns with everybody else's writes: a transaction takes them for 50 ms in
// all, and what waits goes before the next. One that only reads runs on two connections of its own, beside the writer
// ([Store.Read]), and may see what others have written since, or not yet. [OpenDatabase] runs them on other files. What a clock can't stop is bounded by
// size: values are at most twice the largest event and 1 MiB, and much smaller in a statement that calls a function whose work
// grows faster than that (LIKE, instr, replace, trim, hex, printf, …; functions.go has them all). SQLite's own functions aren't
// replaced: in a CHECK they would make a store unreadable to others. Virtual tables are those of fts5 and rtree; the connections
// are in SQLite's defensive mode.
//
// Limits: a local file system (network ones are refused: their locks don't hold), and one writing process.
//
//	s, err := sqlite.Open("evrun.db", sqlite.Options{})
//	go s.Run(ctx)
//	receipts, err := s.Append(ctx, []*events.Event{e}) // on disk when it returns
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"evrun/store"
	"evrun/store/files"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/disk"
	"evrun/store/sqlite/guard"
)

// Store is the store in one file. See [store.Store] for what its methods promise.
type Store struct {
	path    string
	id      string
	w       *writer // nil when opened for reading
	readers readers
	reads   *userReads // nil when opened for reading
	lock    *disk.Lock
	files   disk.Opened
	keepWAL atomic.Bool // at the end, see watch
}

var _ store.Store = (*Store)(nil)

// Open opens the database that name leads to for reading and writing, makes it where there is none, and brings its schema up to date.
//
// The store is that file: under a symbolic link's name it has the same lock. Its files are private, see
// package files.
//
// Errors: [store.ErrLocked] when another process writes to it, [store.ErrNotStore], [store.ErrNewer], [store.ErrReadOnly], and
// an [*files.Error] when it can't be trusted.
func Open(name string, opt Options) (_ *Store, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open store %s: %w", name, err)
		}
	}()
	warn := func(note string) {
		if note != "" && opt.Warn != nil {
			opt.Warn(note)
		}
	}
	path, err := resolve(name)
	if err != nil {
		return nil, err
	}
	note, err := files.TrustedFolder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	warn(note)
	l, note, err := disk.Acquire(path + ".lock")
	if err != nil {
		return nil, err
	}
	warn(note)
	defer func() {
		if err != nil {
			l.Release()
		}
	}()
	if err := disk.CreatePrivate(path); err != nil {
		return nil, err
	}
	if err := disk.CheckPrivate(path); err != nil {
		return nil, err
	}
	synchronous := "FULL"
	if opt.Synchronous == "normal" {
		synchronous = "NORMAL"
	}
	c, err := conn.Open(conn.Writer(path, synchronous))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err := migrate(c); err != nil {
		return nil, err
	}
	if err := disk.MendPrivate(path, warn); err != nil { // now that it is known to be a store, and not another program's file
		return nil, err
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.MaxWAL <= 0 {
		opt.MaxWAL = DefaultMaxWAL
	}
	w := &writer{wal: wal{path: path, max: opt.MaxWAL, warn: warn}, conn: c, opt: opt, ops: make(chan *op, 256), stopped: make(chan struct{}), lost: make(chan struct{}),
		names: map[store.HandlerID]string{}, seldom: map[string]*conn.Stmt{}, statementTimeout: opt.StatementTimeout, clock: time.Now}
	if w.statementTimeout <= 0 {
		w.statementTimeout = 50 * time.Millisecond
	}
	if err := w.stmt.prepare(c); err != nil {
		return nil, err
	}
	if err := w.load(); err != nil {
		return nil, err
	}
	if w.user, err = guard.New(c, ownTables(), guard.MaxValue(opt.MaxData)); err != nil {
		return nil, err
	}
	s := &Store{path: path, id: w.id, w: w, lock: l, reads: newUserReads(path, guard.MaxValue(opt.MaxData))}
	if s.files, err = disk.Identify(path); err != nil {
		return nil, err
	}
	if s.readers, err = openReaders(path); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenReader opens an existing database for reading, beside whoever writes to it. The methods that write answer
// [store.ErrReadOnly]. [store.ErrNotFound] means that there is no such file.
func OpenReader(name string) (_ *Store, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open store %s: %w", name, err)
		}
	}()
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
		return nil, store.ErrNotFound
	}
	path, err := resolve(name)
	if err != nil {
		return nil, err
	}
	if err := disk.CheckPrivate(path); err != nil {
		return nil, err
	}
	if err := conn.OFDLocking(); err != nil {
		return nil, err
	}
	db, err := openReaders(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, readers: db}
	if err := s.checkReadable(); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

func openReaders(path string) (readers, error) {
	db, err := sql.Open("sqlite", conn.Reader(path))
	if err != nil {
		return readers{}, conn.Translate(err)
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	return readers{db}, nil
}

// resolve gives the path of the file that a store's path leads to, see [files.Resolve]. It finds what SQLite's own messages would
// not explain.
func resolve(path string) (string, error) {
	if info, err := os.Stat(filepath.Dir(path)); err != nil {
		return "", fmt.Errorf("its folder: %w", err)
	} else if !info.IsDir() {
		return "", fmt.Errorf("%s is not a folder", filepath.Dir(path))
	}
	path, err := files.Resolve(path)
	if err != nil {
		return "", err
	}
	return path, checkFile(path)
}

func checkFile(path string) error {
	if err := refuseNetwork(filepath.Dir(path)); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%w: it is a folder", store.ErrNotStore)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is not a regular file", store.ErrNotStore)
	}
	return nil
}

// load reads what the writer keeps in memory.
func (w *writer) load() error {
	row := make([]driver.Value, 1)
	get, err := w.prepared(`SELECT value FROM meta WHERE key = 'id'`)
	if err != nil {
		return err
	}
	if err := get.QueryRow(row); err != nil {
		return fmt.Errorf("its id: %w", err)
	}
	w.id = row[0].(string)
	head, err := w.prepared(`SELECT ` + journalHead)
	if err != nil {
		return err
	}
	if err := head.QueryRow(row); err != nil {
		return fmt.Errorf("the journal's head: %w", err)
	}
	w.next = row[0].(int64) + 1
	return nil
}

// checkReadable makes sure that the file is a store of this version.
func (s *Store) checkReadable() error {
	var application, version int
	if err := s.readers.QueryRow(`PRAGMA application_id`).Scan(&application); err != nil {
		return conn.Translate(err)
	}
	if err := s.readers.QueryRow(`PRAGMA user_version`).Scan(&version); err != nil {
		return conn.Translate(err)
	}
	if err := checkVersion(application, version, false); err != nil {
		return err
	}
	if err := s.readers.QueryRow(`SELECT value FROM meta WHERE key = 'id'`).Scan(&s.id); err != nil {
		return fmt.Errorf("%w: %w", store.ErrNotStore, conn.Translate(err))
	}
	return nil
}

// ID implements [store.Store].
func (s *Store) ID() string { return s.id }

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
		watch.Go(func() { s.w.wal.tend(watching) })
	}
	err := s.w.run(ctx)
	stop()
	watch.Wait()
	return err
}

// Close implements [store.Store].
func (s *Store) Close() error {
	errs := []error{s.readers.Close()}
	if s.w != nil {
		if s.keepWAL.Load() {
			errs = append(errs, s.w.conn.KeepWAL())
		}
		errs = append(errs, s.reads.Close(), s.w.user.Close(), s.w.conn.Close())
		s.lock.Release()
	}
	return errors.Join(errs...)
}
