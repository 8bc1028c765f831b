package daemon

import (
	"errors"
	"syscall"

	"evrun/cmd/config/settings"
)

// makePrivate does nothing: the access list of the socket's directory decides who can connect.
func makePrivate(string, string, syscall.RawConn) error { return nil }

// letIn refuses the settings that give others the socket.
func letIn(server settings.Server) error {
	if server.SocketGroup != "" || server.SocketMode != 0o600 {
		return errors.New("socket_mode and socket_group have no effect on Windows; leave them out, and set the rights of the socket's directory")
	}
	return nil
}
