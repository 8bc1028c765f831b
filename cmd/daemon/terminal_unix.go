//go:build unix

package daemon

import "golang.org/x/sys/unix"

// hasTerminal reports whether this process has a controlling terminal. The system takes it away before it sends SIGHUP.
func hasTerminal() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}
