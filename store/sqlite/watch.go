package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	driverpkg "modernc.org/sqlite"

	"evrun/store"
)

// watchEvery is how often the store's files are looked at, beside the writer and not by it.
const watchEvery = time.Second

// opened is a file of the store as it was when the store was opened. SQLite, or the lock, has it open until the end, so that
// no other file can get its inode.
type opened struct {
	path string
	info fs.FileInfo
}

// identify notes which files were opened.
func (s *Store) identify() error {
	for _, suffix := range append([]string{".lock"}, ownSuffixes...) {
		info, err := os.Lstat(s.path + suffix)
		if errors.Is(err, fs.ErrNotExist) && suffix != "" && suffix != ".lock" {
			continue // there is none on this system
		}
		if err != nil {
			return err
		}
		s.files = append(s.files, opened{s.path + suffix, info})
	}
	return nil
}

// replaced fails if a file of the store is no longer the one that was opened, since writes to that one would be lost.
func (s *Store) replaced() error {
	for _, f := range s.files {
		switch info, err := os.Lstat(f.path); {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %s was removed", store.ErrReplaced, f.path)
		case err == nil && !os.SameFile(info, f.info):
			return fmt.Errorf("%w: %s is another file now", store.ErrReplaced, f.path)
		}
	}
	return nil
}

// watch ends the writer when the store's files are lost, until ctx ends.
func (s *Store) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if err := s.replaced(); err != nil {
			// The last connection to close removes the WAL by its name, which may be another store's now.
			s.keepWAL.Store(true)
			s.w.lose(err)
			return
		}
	}
}

// leaveWAL has the connection remove no WAL when it is closed.
func (c *conn) leaveWAL() error {
	control, ok := c.c.(driverpkg.FileControl)
	if !ok {
		return nil
	}
	_, err := control.FileControlPersistWAL("main", 1)
	return err
}

// lose ends the writer with err, which is an [store.ErrReplaced]: it commits no more. It may be called once.
func (w *writer) lose(err error) {
	w.loss = err
	close(w.lost)
}
