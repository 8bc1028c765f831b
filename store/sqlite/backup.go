package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"evrun/store"
	"evrun/store/sqlite/copies"
	"evrun/store/sqlite/disk"
)

// restartsMost is how often a copy on the writer's connection may begin again. Then it is made by a long read: a store whose transactions are often
// undone would never be copied.
const restartsMost = 3

// Backup implements [store.Store]. The copy is made on the writer's connection, a few pages between two transactions, so that what is committed meanwhile
// is in it. A reader would have to keep one snapshot until the end, and the write-ahead log would grow with all that is written meanwhile. Where the disk
// of the copy may hang, it is made so all the same: the writer must not wait for it.
func (s *Store) Backup(ctx context.Context, path string, report func(done, all int64)) (sequence int64, err error) {
	s.backups.RLock()
	defer s.backups.RUnlock()
	if report == nil {
		report = func(int64, int64) {}
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("backup: %w", err)
		}
	}()
	if s.w != nil && !disk.Distant(filepath.Dir(path)) {
		sequence, err := s.copyBeside(ctx, path, report)
		if !errors.Is(err, errRestarts) {
			return sequence, err
		}
		if err := os.Truncate(path, 0); err != nil {
			return 0, err
		}
	}
	return copies.Snapshot(ctx, s.path, path, report)
}

var errRestarts = errors.New("the copy began again too often")

// copyBeside copies the database on the writer's connection.
func (s *Store) copyBeside(ctx context.Context, path string, report func(done, all int64)) (sequence int64, err error) {
	var c *copies.Copy
	if err := s.w.outside(ctx, func() (err error) {
		c, err = copies.Begin(s.w.conn, path)
		return err
	}); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.endCopy(c)) }()
	for more := true; more; {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if err := s.w.outside(ctx, func() (err error) {
			more, err = c.Step(copies.StepPages)
			sequence = s.w.next - 1
			return err
		}); err != nil {
			return 0, err
		}
		if c.Restarts() > restartsMost {
			return 0, errRestarts
		}
		report(c.Size())
	}
	return sequence, nil
}

// endCopy gives the writer's connection back.
func (s *Store) endCopy(c *copies.Copy) error {
	err := s.w.outside(context.Background(), c.End)
	if errors.Is(err, store.ErrClosed) { // the writer has ended: only other backups use its connection now
		s.ending.Lock()
		defer s.ending.Unlock()
		err = c.End()
	}
	return err
}

// outside calls do when no transaction is open, and lets others write for as long as it took.
func (w *writer) outside(ctx context.Context, do func() error) error {
	o := newOp(0, 0, func(*txn) error { return do() })
	o.turn = outside
	return w.submit(ctx, o)
}

// Backup copies the database at name, which another process may be writing to, as [store.Backups] says. It reads one snapshot until the end, so that the
// write-ahead log grows meanwhile. The schema may be of an older evrun.
func Backup(ctx context.Context, name, path string, report func(done, all int64)) (sequence int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("backup of %s: %w", name, err)
		}
	}()
	from, err := disk.Resolve(name)
	if err != nil {
		return 0, err
	}
	if err := disk.CheckPrivate(from); err != nil {
		return 0, err
	}
	return copies.Snapshot(ctx, from, path, report)
}
