package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"evrun/cmd/api/client"
	"evrun/cmd/config/settings"
)

// socket is the daemon's control socket: a listener that is made again under the same path when its file is removed. Open connections
// stay open. Safe for concurrent use.
type socket struct {
	settings.Server
	passed bool // the service manager made it, and its file

	mu     sync.Mutex
	l      *net.UnixListener
	file   fs.FileInfo // of l
	closed bool
}

// openSocket opens the control socket, or takes the one that the service manager passed; nil: none.
func openSocket(server settings.Server, passed *net.UnixListener) (*socket, error) {
	s := &socket{Server: server, passed: passed != nil, l: passed}
	if s.passed {
		file, err := os.Lstat(s.Socket)
		if err != nil {
			return nil, fmt.Errorf("socket: %w", err)
		}
		s.file = file
		return s, nil
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *socket) listen() error {
	l, err := listen(s.Server)
	if err != nil {
		return err
	}
	file, err := os.Lstat(s.Socket)
	if err != nil {
		return errors.Join(fmt.Errorf("socket: %w", err), l.Close())
	}
	l.SetUnlinkOnClose(false) // it would remove any file that has the name then
	s.l, s.file = l, file
	return nil
}

// Accept implements [net.Listener].
func (s *socket) Accept() (net.Conn, error) {
	for {
		l := s.current()
		c, err := l.Accept()
		if err == nil || s.current() == l {
			return c, err
		}
	}
}

func (s *socket) current() *net.UnixListener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.l
}

// Addr implements [net.Listener].
func (s *socket) Addr() net.Addr { return s.current().Addr() }

// Close implements [net.Listener]. It removes the socket's file, if that is still the one that was made here.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.closed = true
	var err error
	if s.exists() && !s.passed {
		err = os.Remove(s.Socket)
	}
	return errors.Join(err, s.l.Close())
}

// exists reports whether the file of the socket is still the one that was made.
func (s *socket) exists() bool {
	now, err := os.Lstat(s.Socket)
	return err == nil && os.SameFile(now, s.file)
}

// mend makes the socket again if its file is gone. again reports whether it did.
func (s *socket) mend() (again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.exists() {
		return false, nil
	}
	if s.passed {
		return false, errors.New("the service manager made it: restart its .socket unit")
	}
	old := s.l
	if err := s.listen(); err != nil {
		return false, err
	}
	_ = old.Close() // no client can reach it
	return true, nil
}

// keepEvery is how often the daemon checks that the socket and the address notes still exist.
const keepEvery = time.Second

// keepSocket makes the socket and the notes of its address again when they are removed, until ctx ends.
func (d *Daemon) keepSocket(ctx context.Context) error {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	logged := ""
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		switch again, err := d.socket.mend(); {
		case err != nil && err.Error() != logged:
			logged = err.Error()
			d.log.Error("the control socket is gone, and can't be made again: no command reaches this daemon", "error", err)
		case err == nil && again:
			logged = ""
			d.log.Warn("the control socket was removed, and was made again", "socket", d.socket.Socket)
		}
		d.address.renew()
	}
}

// vacate makes room for the control socket: a socket that no process answers on is left over, and removed.
func vacate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("socket %s: a file of that name exists, and it is not a socket; move it away, or set server.socket to another path", path)
	default:
		c, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			c.Close()
			return fmt.Errorf("socket %s belongs to a running daemon; set server.socket to another path, or stop that one", path)
		}
		if !client.Nobody(err) {
			return fmt.Errorf("socket: %w", err)
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("socket: %w", err)
		}
	}
	return nil
}

// listen opens the control socket.
func listen(server settings.Server) (*net.UnixListener, error) {
	path := server.Socket
	if err := vacate(path); err != nil {
		return nil, err
	}
	private := net.ListenConfig{Control: makePrivate}
	l, err := private.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := letIn(server); err != nil {
		return nil, errors.Join(fmt.Errorf("socket: %w", err), l.Close())
	}
	return l.(*net.UnixListener), nil
}
