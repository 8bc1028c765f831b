// Package disk guards the files of a store: they are on a local disk, one process writes to them (the lock), other users can't read them, and their
// replacement is noticed. It opens none of them that exists but the lock: closing another descriptor of a database can drop SQLite's locks.
package disk

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"evrun/store"
	"evrun/store/files"
)

// Lock says that this process writes to the store. The kernel drops it when the process dies; the file stays.
type Lock struct{ f *os.File }

// Acquire takes the lock at once, or returns [store.ErrLocked] with the holder's process number. The note is as in
// [files.OpenPrivate].
func Acquire(path string) (l *Lock, note string, err error) {
	f, note, err := files.OpenPrivate(path)
	if err != nil {
		return nil, "", translateFile(err)
	}
	if err := lockFile(f); err != nil {
		defer f.Close()
		if !errors.Is(err, errHeld) {
			return nil, "", fmt.Errorf("lock %s: %w", path, err)
		}
		var text [20]byte
		n, _ := f.ReadAt(text[:], 0) // for the message only
		if pid := strings.TrimSpace(string(text[:n])); pid != "" {
			return nil, "", fmt.Errorf("%w: process %s", store.ErrLocked, pid)
		}
		return nil, "", store.ErrLocked
	}
	// The process number is for the message of the next process that tries: writing it may fail on a full disk.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &Lock{f}, note, nil
}

// translateFile gives an error of opening a file as one of the store's.
func translateFile(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, errReadOnly):
		return fmt.Errorf("%w: %w", store.ErrReadOnly, err)
	case errors.Is(err, errFull):
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// Release gives the lock back.
func (l *Lock) Release() { _ = l.f.Close() }
