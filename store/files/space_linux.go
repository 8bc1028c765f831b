package files

import "golang.org/x/sys/unix"

// DiskFree returns how many bytes this user can still write to the file system of a file; ok is false if that is not known.
func DiskFree(path string) (free int64, ok bool) {
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) != nil {
		return 0, false
	}
	return int64(fs.Bavail) * fs.Bsize, true
}
