package disk

import (
	"os"

	"golang.org/x/sys/windows"
)

// Errors of the system that [Acquire] translates.
const (
	errHeld     = windows.ERROR_LOCK_VIOLATION
	errReadOnly = windows.ERROR_WRITE_PROTECT
	errFull     = windows.ERROR_DISK_FULL
)

// lockFile locks a file for this process, until it is closed. The error is errHeld where another one has it. The lock is on a byte
// far behind the content, since nobody else can read what is locked.
func lockFile(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0,
		&windows.Overlapped{OffsetHigh: 1})
}
