package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace writes a file, with mode 0644, that others read at any time: they see the old text or the new one, and never a part, also after a power
// failure. An error leaves the file as it was, and names it. What is not a regular file is refused with an [*Error].
func Replace(path string, text []byte) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return &Error{Path: path, Msg: "it is " + Kind(info) + ", not a regular file", Hint: "name a file"}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".evrun-*")
	if err != nil {
		return fmt.Errorf("%s: a file can't be made beside it, to replace it: %w", path, reason(err))
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("%s is as it was: %w", path, reason(err))
		}
	}()
	_, werr := f.Write(text)
	if err := errors.Join(werr, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// reason is an error without the path of the temporary file.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
