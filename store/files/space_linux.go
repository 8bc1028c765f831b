package files

import "golang.org/x/sys/unix"

// Space is how many bytes of the file system of a path are free for this user, and how many it has.
func Space(path string) (free, all int64, known bool) {
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) != nil {
		return 0, 0, false
	}
	return int64(fs.Bavail) * fs.Bsize, int64(fs.Blocks) * fs.Bsize, true
}
