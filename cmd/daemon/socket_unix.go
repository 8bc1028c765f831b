//go:build unix

package daemon

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"evrun/cmd/config/settings"
)

// makePrivate gives a socket the mode 0600 before it has a file. On Linux the file then has it from the beginning: at no moment can others
// connect. The umask, which commands inherit, is left alone.
func makePrivate(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = unix.Fchmod(int(fd), 0o600) })
}

// letIn gives the socket, which only its user can open, first the group and then the mode of the settings.
func letIn(server settings.Server) error {
	if server.SocketGroup != "" {
		gid, err := settings.LookupGroup(server.SocketGroup)
		if err == nil {
			err = os.Lchown(server.Socket, -1, gid)
		}
		if err != nil {
			return fmt.Errorf("its socket_group: %w", err)
		}
	}
	if info, err := os.Lstat(server.Socket); err == nil && info.Mode().Perm() == server.SocketMode {
		return nil
	}
	return os.Chmod(server.Socket, server.SocketMode)
}
