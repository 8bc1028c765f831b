package disk

import (
	"errors"
	"io/fs"
	"os"

	"evrun/store/files"
)

// ownSuffixes are those of the names of a store's files, after the database's own. The lock is apart: see [Acquire].
var ownSuffixes = []string{"", "-wal", "-shm"}

// checkedSuffixes are those of the files that SQLite reads when it opens a store. A rollback journal is among them, though a
// store has none: SQLite writes its content into the database, whoever created it.
var checkedSuffixes = append(ownSuffixes[:len(ownSuffixes):len(ownSuffixes)], "-journal")

// Suffixes are those of the names of all files that a store may have.
var Suffixes = append(checkedSuffixes[:len(checkedSuffixes):len(checkedSuffixes)], ".lock")

// CheckPrivate says why one of a store's files can't be trusted.
func CheckPrivate(path string) error {
	for _, suffix := range checkedSuffixes {
		if _, err := files.Private(path+suffix, false); err != nil {
			return translateFile(err)
		}
	}
	return nil
}

// MendPrivate takes the rights of other users from the files of a store. warn gets the notes of [files.Private].
func MendPrivate(path string, warn func(note string)) error {
	for _, suffix := range ownSuffixes {
		note, err := files.Private(path+suffix, true)
		if err != nil {
			return translateFile(err)
		}
		warn(note)
	}
	return nil
}

// CreatePrivate creates an empty file with mode 0600, unless one exists. SQLite would create a file that other users may read, unless
// the umask forbids it. Its WAL and shared memory get the mode of the database.
func CreatePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return translateFile(err)
	}
	return f.Close()
}
