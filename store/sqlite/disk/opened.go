package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"evrun/store"
)

// Opened are the files of a store as they were when it was opened. SQLite, or the lock, has each one open until the end, so that no
// other file can get its inode.
type Opened []openedFile

type openedFile struct {
	path string
	info fs.FileInfo
}

// Identify notes which files the store at path has open.
func Identify(path string) (list Opened, err error) {
	for _, suffix := range append([]string{".lock"}, ownSuffixes...) {
		info, err := os.Lstat(path + suffix)
		if errors.Is(err, fs.ErrNotExist) && suffix != "" && suffix != ".lock" {
			continue // this system has no such file
		}
		if err != nil {
			return nil, err
		}
		_ = os.SameFile(info, info) // on Windows, this is when it learns which file it is
		list = append(list, openedFile{path + suffix, info})
	}
	return list, nil
}

// Replaced fails with [store.ErrReplaced] if a file is no longer the one that was opened: writes to that one would be lost.
func (o Opened) Replaced() error {
	for _, f := range o {
		switch info, err := os.Lstat(f.path); {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %s was removed", store.ErrReplaced, f.path)
		case err == nil && !os.SameFile(info, f.info):
			return fmt.Errorf("%w: %s is another file now", store.ErrReplaced, f.path)
		}
	}
	return nil
}
