package sockets

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"evrun/cmd/config/settings"
	"evrun/store/files"
)

// Passed are the listening sockets that the service manager opened before it started this process: at most one Unix socket, for the control socket, and
// one TCP socket. Nil: there are none.
type Passed struct {
	unix   *net.UnixListener
	stream net.Listener
}

// The first of the passed file descriptors, by sd_listen_fds(3), and how many there can be.
const (
	firstPassed = 3
	mostPassed  = 16
)

// Take returns the sockets that LISTEN_FDS says were passed to this process (LISTEN_PID); nil for none. It removes the variables from the environment:
// what this process starts has no part in them. It must be called before any program is started.
func Take() (*Passed, error) {
	taken := map[string]string{}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		taken[name] = os.Getenv(name)
		_ = os.Unsetenv(name)
	}
	if taken["LISTEN_FDS"] == "" || taken["LISTEN_PID"] != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(taken["LISTEN_FDS"])
	if err != nil || n < 0 || n > mostPassed {
		return nil, &Error{Msg: fmt.Sprintf("LISTEN_FDS is %q, and must be a number up to %d", taken["LISTEN_FDS"], mostPassed), Hint: "it says how many sockets the service manager passes; unset it otherwise", File: true}
	}
	if n == 0 {
		return nil, nil
	}
	names := strings.Split(taken["LISTEN_FDNAMES"], ":")
	p := &Passed{}
	for i := range n {
		name := fmt.Sprintf("file descriptor %d", firstPassed+i)
		if i < len(names) && names[i] != "" {
			name += " (" + names[i] + ")"
		}
		if err := p.add(firstPassed+i, name); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

// add takes one of the sockets.
func (p *Passed) add(fd int, name string) error {
	l, err := listenerOf(fd, name)
	if err != nil {
		return &Error{Msg: fmt.Sprintf("the service manager passes %s, which can't be used: %v", name, err), Hint: "the .socket unit needs ListenStream=, and Accept=no", File: true, Err: err}
	}
	switch l := l.(type) {
	case *net.UnixListener:
		if p.unix != nil {
			err = &Error{Msg: fmt.Sprintf("the service manager passes two Unix sockets, %v and %v", p.unix.Addr(), l.Addr()), Hint: "leave one of them: it is the control socket", File: true}
			break
		}
		l.SetUnlinkOnClose(false) // its file is the service manager's
		p.unix = l
		return nil
	case *net.TCPListener:
		if p.stream != nil {
			err = &Error{Msg: fmt.Sprintf("the service manager passes two TCP sockets, %v and %v", p.stream.Addr(), l.Addr()), Hint: "leave one of them: ListenStream=[::]:7770 also takes IPv4", File: true}
			break
		}
		p.stream = l
		return nil
	default:
		err = &Error{Msg: fmt.Sprintf("the service manager passes %s, which is neither a Unix socket nor one of TCP", name), Hint: "the .socket unit needs ListenStream=", File: true}
	}
	return errors.Join(err, l.Close())
}

func (p *Passed) tcp() net.Listener {
	if p == nil {
		return nil
	}
	return p.stream
}

// Control returns the socket that was passed for the control socket of the settings; nil: none. Its file must not let anybody in whom the settings
// would not: what systemd makes is open to all unless its unit says otherwise.
func (p *Passed) Control(server settings.Server) (*net.UnixListener, error) {
	if p == nil || p.unix == nil {
		return nil, nil
	}
	path := p.unix.Addr().String()
	if resolved(path) != resolved(server.Socket) {
		return nil, &Error{Msg: fmt.Sprintf("the service manager passes the Unix socket %s, and server.socket is %s", path, server.Socket),
			Hint: "write the same path in both: ListenStream= of the .socket unit, and server.socket", File: true}
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("the socket that the service manager passes: %w", err)
	}
	if uid, known := files.Owner(info); known && uid != 0 && uid != os.Geteuid() {
		return nil, &Error{Msg: fmt.Sprintf("the service manager passes the Unix socket %s, which belongs to another user (uid %d)", path, uid), Hint: "write SocketUser= of the .socket unit like User= of the service", File: true}
	}
	if more := info.Mode().Perm() &^ server.SocketMode; more != 0 {
		return nil, &Error{Msg: fmt.Sprintf("the service manager passes the Unix socket %s with the mode %#o: others can connect, and do everything", path, info.Mode().Perm()),
			Hint: fmt.Sprintf("write SocketMode=%#o in the .socket unit, or let them in with server.socket_mode", server.SocketMode), File: true}
	}
	if err := groupFits(info, server); err != nil {
		return nil, err
	}
	return p.unix, nil
}

// groupFits checks that a socket which a group can open has the group of the settings.
func groupFits(info fs.FileInfo, server settings.Server) error {
	if info.Mode().Perm()&0o060 == 0 {
		return nil
	}
	want := os.Getgid()
	if server.SocketGroup != "" {
		var err error
		if want, err = settings.LookupGroup(server.SocketGroup); err != nil {
			return fmt.Errorf("socket_group: %w", err)
		}
	}
	if have, known := files.Group(info); known && have != want {
		return &Error{Msg: fmt.Sprintf("the service manager passes the Unix socket %s with the group %d, and the settings let the group %d in", server.Socket, have, want),
			Hint: "write the same group in both: SocketGroup= of the .socket unit, and server.socket_group", File: true}
	}
	return nil
}

// resolved is a path without links in its directories.
func resolved(path string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return filepath.Clean(path)
}

// Close closes them.
func (p *Passed) Close() {
	if p == nil {
		return
	}
	if p.unix != nil {
		_ = p.unix.Close()
	}
	if p.stream != nil {
		_ = p.stream.Close()
	}
}
