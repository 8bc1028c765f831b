package conn

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func bound(network, _ string, c syscall.RawConn) (err error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unanswered.Milliseconds()))
	})
	if cerr != nil {
		return cerr
	}
	return err
}
