//go:build unix

package sockets

import "golang.org/x/sys/unix"

// openFiles is how many files this process may have open; 0: not known.
func openFiles() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), 1<<30)) //nolint:unconvert // its type differs by system
}
