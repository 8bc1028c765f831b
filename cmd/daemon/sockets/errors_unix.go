//go:build unix

package sockets

import "syscall"

// The system's errors of an address that is taken, and of one that the machine does not have.
const (
	inUse   = syscall.EADDRINUSE
	notHere = syscall.EADDRNOTAVAIL
)
