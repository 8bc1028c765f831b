package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"evrun/cmd/api/peer"
	"evrun/store/files"
)

// ConnectError: the socket exists, and this client is not allowed to connect to it, or does not trust the process that listens.
type ConnectError struct {
	Socket string
	Msg    string
	Hint   string
}

func (e *ConnectError) Error() string { return "socket " + e.Socket + ": " + e.Msg }

// dialer connects to the socket of a trusted daemon: its process belongs to root, to this user, or to the owner of one of the files,
// which are the daemon's wiring file and store.
func dialer(socket string, owned []string) func(context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	return func(ctx context.Context) (net.Conn, error) {
		c, err := d.DialContext(ctx, "unix", socket)
		if errors.Is(err, fs.ErrPermission) {
			return nil, &ConnectError{socket, "permission denied",
				"run this as the user of the daemon, or let others in with server.socket_mode and server.socket_group"}
		}
		if err != nil {
			return nil, err
		}
		if uid, known := peer.UID(c); known && !trusted(uid, owned) {
			_ = c.Close() // nothing was sent
			return nil, &ConnectError{socket, fmt.Sprintf("it belongs to a process of another user (uid %d), who owns neither the wiring file nor the store", uid),
				"see which process has it (ss -xlp), and give the daemon a socket in a directory that only its user can write"}
		}
		return c, nil
	}
}

func trusted(uid int, owned []string) bool {
	if uid == 0 || uid == os.Geteuid() {
		return true
	}
	for _, path := range owned {
		if info, err := os.Stat(path); err == nil && files.OwnedBy(info, uid) {
			return true
		}
	}
	return false
}
