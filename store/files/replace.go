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
func Replace(path string, text []byte) error {
	if info, err := os.Stat(path); err == nil {
		if err := regular(path, info, "name a file"); err != nil {
			return err
		}
	}
	return replace(path, text, func(f *os.File) error { return f.Chmod(0o644) })
}

// Rewrite is [Replace] for a file that exists: it keeps its mode and its owner. A symbolic link stays; the file that it leads to is replaced.
func Rewrite(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := regular(path, info, "name a file"); err != nil {
		return err
	}
	return replace(path, text, func(f *os.File) error {
		made, err := f.Stat()
		if err != nil {
			return err
		}
		was, known := ownerOf(info)
		if now, _ := ownerOf(made); known && (now.uid != was.uid || now.gid != was.gid) {
			if err := f.Chown(was.uid, was.gid); err != nil {
				return err
			}
		}
		return f.Chmod(info.Mode().Perm())
	})
}

// replace writes a file beside path, has prepare set its mode, and renames it.
func replace(path string, text []byte, prepare func(*os.File) error) (err error) {
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
	if err := errors.Join(werr, prepare(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// reason is an error without the path of the temporary file.
func reason(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	if at, ok := errors.AsType[*os.LinkError](err); ok { // of a rename
		return at.Err
	}
	return err
}
