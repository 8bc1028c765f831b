package sqlite

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// refuseNetwork refuses folders on file systems whose locks and mmap SQLite can't rely on.
func refuseNetwork(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return nil //nolint:nilerr // opening the database will tell
	}
	for _, known := range []struct {
		magic uint32
		name  string
	}{{unix.NFS_SUPER_MAGIC, "NFS"}, {unix.SMB_SUPER_MAGIC, "SMB"}, {unix.SMB2_SUPER_MAGIC, "SMB"}, {unix.CIFS_SUPER_MAGIC, "CIFS"}} {
		if uint32(fs.Type) == known.magic {
			return fmt.Errorf("%s is on a network file system (%s), where SQLite's locks don't hold: use a local disk", dir, known.name)
		}
	}
	return nil
}
