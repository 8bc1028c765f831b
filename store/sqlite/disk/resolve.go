package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"evrun/store"
	"evrun/store/files"
)

// Resolve returns the path of the store's file, see [files.Resolve]. It reports errors that SQLite's own messages would not explain.
func Resolve(path string) (string, error) {
	if info, err := os.Stat(filepath.Dir(path)); err != nil {
		return "", fmt.Errorf("its directory: %w", err)
	} else if !info.IsDir() {
		return "", fmt.Errorf("%s is not a directory", filepath.Dir(path))
	}
	path, err := files.Resolve(path)
	if err != nil {
		return "", err
	}
	return path, checkFile(path)
}

func checkFile(path string) error {
	if err := refuseNetwork(filepath.Dir(path)); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%w: it is a directory", store.ErrNotStore)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is not a regular file", store.ErrNotStore)
	}
	return nil
}
