//go:build unix

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// Errors of the system that [Acquire] translates.
const (
	errHeld     = unix.EWOULDBLOCK
	errReadOnly = unix.EROFS
	errFull     = unix.ENOSPC
)

// lockFile locks a file for this process, until it is closed. The error is errHeld where another one has it.
func lockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
