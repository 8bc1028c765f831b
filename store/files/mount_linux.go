package files

import "golang.org/x/sys/unix"

// readOnly reports whether a file is on a mount that can't be written.
func readOnly(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && fs.Flags&unix.ST_RDONLY != 0
}
