package sqlite

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"evrun/store"
	"evrun/store/files"
)

// lock says that this process writes to the store. The kernel drops it when the process dies; the file stays.
type lock struct{ f *os.File }

// acquire takes the lock at once, or returns [store.ErrLocked] with the holder's process number. The note is as in
// [files.OpenPrivate].
func acquire(path string) (l *lock, note string, err error) {
	f, note, err := files.OpenPrivate(path)
	if err != nil {
		return nil, "", translateFile(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, "", fmt.Errorf("lock %s: %w", path, err)
		}
		var text [20]byte
		n, _ := f.ReadAt(text[:], 0) // for the message only
		if pid := strings.TrimSpace(string(text[:n])); pid != "" {
			return nil, "", fmt.Errorf("%w: process %s", store.ErrLocked, pid)
		}
		return nil, "", store.ErrLocked
	}
	// Who holds it is a courtesy to whoever is refused: it may fail on a full disk.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &lock{f}, note, nil
}

// translateFile gives an error of opening a file as one of the store's.
func translateFile(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: %w", store.ErrReadOnly, err)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

func (l *lock) release() { _ = l.f.Close() }
