package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"evrun/store"
	"evrun/store/files"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/disk"
	"evrun/store/sqlite/prune"
	"evrun/store/sqlite/reads"
	"evrun/store/sqlite/schema"
	"evrun/store/sqlite/transfer"
)

// Open opens the database at name for reading and writing, creates it if it does not exist, and brings its schema up to date.
//
// It resolves symbolic links first, so that a file has the same lock under all its names. The store's files are private, see package files.
//
// Errors: [store.ErrLocked] when another process writes to it, [store.ErrNotStore], [store.ErrNewer], [store.ErrReadOnly], [store.ErrMoved], and a [*files.Error] when
// the file can't be trusted.
func Open(name string, opt Options) (_ *Store, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open store %s: %w", name, err)
		}
	}()
	opt = opt.withDefaults()
	path, err := disk.Resolve(name)
	if err != nil {
		return nil, err
	}
	note, err := files.TrustedDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	opt.Warn(note)
	l, note, err := disk.Acquire(path + ".lock")
	if err != nil {
		return nil, err
	}
	opt.Warn(note)
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
	c, err := conn.Open(conn.Writer(path, opt.Synchronous))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err := schema.Migrate(c); err != nil {
		return nil, err
	}
	if err := transfer.Refusal(c); err != nil {
		return nil, err
	}
	if err := disk.MendPrivate(path, opt.Warn); err != nil { // only now: the file is known to be a store, not another program's
		return nil, err
	}
	w, err := newWriter(c, path, opt)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, w: w, lock: l}
	if s.files, err = disk.Identify(path); err != nil {
		return nil, err
	}
	if s.Reader, err = reads.Open(path, w.id, opt.MaxData); err != nil {
		return nil, err
	}
	s.Pruner = prune.New(prune.Options{Path: path, Write: w.beside, Generation: w.generation.Load, Now: opt.Now, Keys: &w.pruned})
	return s, nil
}

// With opens a store as [Open] does, runs it while do uses it, and closes it. The store goes on until do returns, even if ctx ends before.
func With(ctx context.Context, name string, opt Options, do func(*Store) error) error {
	s, err := Open(name, opt)
	if err != nil {
		return err
	}
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(writing) }()
	err = do(s)
	stop()
	return errors.Join(err, <-ended, s.Close())
}

// OpenReader opens an existing database for reading, while another process may write to it. Methods that write return [store.ErrReadOnly]. If the
// file does not exist, the error is [store.ErrNotFound]; if this version must migrate it first, [store.ErrOlder].
func OpenReader(name string) (_ *Store, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open store %s: %w", name, err)
		}
	}()
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w; no daemon has run here yet: start evrun serve", store.ErrNotFound)
	}
	path, err := disk.Resolve(name)
	if err != nil {
		return nil, err
	}
	if err := disk.CheckPrivate(path); err != nil {
		return nil, err
	}
	if err := conn.OFDLocking(); err != nil {
		return nil, err
	}
	r, err := reads.OpenAlone(path)
	if err != nil {
		return nil, err
	}
	return &Store{path: path, Reader: r, Pruner: prune.New(prune.Options{Path: path, Now: time.Now})}, nil
}
