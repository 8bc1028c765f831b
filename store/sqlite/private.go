package sqlite

import (
	"errors"
	"io/fs"
	"os"

	"evrun/store/files"
)

// ownSuffixes are those of the names of a store's files, after the database's own. The lock is apart: see acquire.
var ownSuffixes = []string{"", "-wal", "-shm"}

// checkedSuffixes are those of the files that SQLite reads when it opens a store. A rollback journal is among them, though a
// store has none: SQLite writes what it says into the database, whoever has put it there.
var checkedSuffixes = append(ownSuffixes[:len(ownSuffixes):len(ownSuffixes)], "-journal")

// makePrivate sees that the database is this user's alone: where there is none, it makes an empty one. SQLite would make one that
// others may read, unless the umask forbids it, and its WAL and shared memory have the mode of their database. warn gets the
// notes of [files.Private].
func makePrivate(path string, warn func(note string)) error {
	if err := createPrivate(path); err != nil {
		return err
	}
	for _, suffix := range checkedSuffixes {
		note, err := files.Private(path+suffix, true)
		if err != nil {
			return translateFile(err)
		}
		warn(note)
	}
	return nil
}

// createPrivate makes an empty file of this user's alone, where there is none.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return translateFile(err)
	}
	return f.Close()
}
