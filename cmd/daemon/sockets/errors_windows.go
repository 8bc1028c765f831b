package sockets

import "golang.org/x/sys/windows"

// The system's errors of an address that is taken, and of one that the machine does not have.
const (
	inUse   = windows.WSAEADDRINUSE
	notHere = windows.WSAEADDRNOTAVAIL
)
