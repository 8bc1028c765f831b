package disk

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// networks are the file systems whose locks and mmap are unreliable for SQLite, by their magic numbers in Linux.
var networks = map[uint32]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "CIFS",
}

// statfs asks the system which file system a directory is on. Tests replace it.
var statfs = unix.Statfs

// refuseNetwork refuses directories on a network.
func refuseNetwork(dir string) error {
	var fs unix.Statfs_t
	if err := statfs(dir, &fs); err != nil {
		return nil //nolint:nilerr // opening the database will fail with a better error
	}
	if name, ok := networks[uint32(fs.Type)]; ok {
		return fmt.Errorf("%s is on a network file system (%s), where SQLite's locks don't hold: use a local disk", dir, name)
	}
	return nil
}

// Distant reports whether writing to files of a directory may take any time: it is on a network, or a program answers for it.
func Distant(dir string) bool {
	var fs unix.Statfs_t
	return statfs(dir, &fs) == nil && (networks[uint32(fs.Type)] != "" || fs.Type == unix.FUSE_SUPER_MAGIC)
}
