package peer

import "golang.org/x/sys/windows"

// ErrRefused is the system's error of a connection to a socket on which no process listens.
const ErrRefused = windows.WSAECONNREFUSED
