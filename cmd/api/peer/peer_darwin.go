// Package peer says who is at the other end of a connection over a Unix socket. It has no goroutine.
package peer

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// UID returns the user of the process at the other end. It is not known where the connection is not a Unix socket.
func UID(c net.Conn) (uid int, known bool) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, false
	}
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); err == nil {
			uid, known = int(cred.Uid), true
		}
	})
	return uid, known
}
