//go:build unix

package files

import (
	"io/fs"
	"os"
	"syscall"
)

// owner is what the system knows about a file beyond its mode.
type owner struct {
	uid, gid int
	links    uint64
}

// ownerOf returns the owner of what info describes.
func ownerOf(info fs.FileInfo) (o owner, known bool) {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}, false
	}
	return owner{uid: int(sys.Uid), gid: int(sys.Gid), links: uint64(sys.Nlink)}, true //nolint:unconvert // its type differs by system
}

// Inode is the number of a file on its file system: it distinguishes a file from another one that replaced it.
func Inode(info fs.FileInfo) uint64 {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return sys.Ino
	}
	return 0
}

// OpenUnfollowed opens a file. It fails for a symbolic link, and never waits: not for a named pipe, either.
func OpenUnfollowed(path string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, mode)
}

// errLink is the error of [OpenUnfollowed] where it found a symbolic link.
var errLink error = syscall.ELOOP

// nonblock is the flag of a file whose opening does not wait.
const nonblock = syscall.O_NONBLOCK
