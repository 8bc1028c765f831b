//go:build unix

package peer

import "syscall"

// ErrRefused is the system's error of a connection to a socket on which no process listens.
const ErrRefused = syscall.ECONNREFUSED
