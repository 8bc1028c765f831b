package sqlite

import (
	"errors"
	"io/fs"
	"os"
)

// makePrivate makes an empty database of this user's alone, where there is none. SQLite would make one that others may read,
// unless the umask forbids it, and its WAL and shared memory have the mode of their database.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return translateFile(err)
	}
	return f.Close()
}
