package cmd_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// passed starts a daemon in dir as a service manager with sockets does: with these files from descriptor 3 on, and LISTEN_PID its own.
func passed(t *testing.T, dir string, files ...*os.File) *daemon {
	t.Helper()
	c := exec.Command("sh", "-c", fmt.Sprintf(`LISTEN_PID=$$ LISTEN_FDS=%d LISTEN_FDNAMES=evrun.socket exec "$0" serve`, len(files)), self(t, dir, proofName))
	c.Dir, c.ExtraFiles = dir, files
	return serveWith(t, dir, c)
}

// fileOf is the file of a listener, as a service manager keeps it.
func fileOf(t *testing.T, l interface {
	net.Listener
	File() (*os.File, error)
}) *os.File {
	t.Helper()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(); l.Close() })
	return f
}

func unixSocket(t *testing.T, path string, mode os.FileMode) *os.File {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return fileOf(t, l)
}

func tcpSocket(t *testing.T, host string) (f *os.File, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	return fileOf(t, l.(*net.TCPListener)), l.Addr().String()
}

// TestSocketsOfTheServiceManager: a daemon takes the sockets that it is passed. What connects before it starts, or while it is away, is answered when it is back.
func TestSocketsOfTheServiceManager(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port, addr := tcpSocket(t, "127.0.0.1")
	wireAt(t, dir, fmt.Sprintf("server: {listen: %q, socket_mode: \"0660\"}\nhandlers: [{name: env, on: a.b, do: exec, with: {command: [sh, -c, 'env | grep -c LISTEN; true']}}]\n", addr))
	control := unixSocket(t, filepath.Join(dir, "evrun.sock"), 0o660)
	early := make(chan error, 1)
	go func() {
		res, err := http.Get("http://" + addr + "/healthz")
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		early <- err
	}()
	for range 2 {
		d := passed(t, dir, control, port)
		if err := <-early; err != nil {
			t.Fatal(err)
		}
		d.ready(t)
		if out, code := run(t, dir, "emit", "a.b", "--wait"); code != 0 {
			t.Fatal(out)
		}
		out, _ := run(t, dir, "runs", "logs", "1-env")
		if !strings.Contains(out, "0\n") {
			t.Errorf("the program has variables of the service manager: %s", out)
		}
		d.stop(t)
		go func() { _, err := net.Dial("tcp", addr); early <- err }() // nobody refuses it
		if _, err := os.Stat(filepath.Join(dir, "evrun.sock")); err != nil {
			t.Fatal("the service manager's socket is removed: ", err)
		}
	}
	<-early
}

// TestSocketsThatDoNotFit: what would open more than the settings say, or is nothing that can be listened on, is refused.
func TestSocketsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		server string // %s: the address of the TCP socket
		files  func(t *testing.T, dir string) (files []*os.File, addr string)
		want   string
		code   int
	}{
		"a socket that everybody can open": {"", func(t *testing.T, dir string) ([]*os.File, string) {
			return []*os.File{unixSocket(t, filepath.Join(dir, "evrun.sock"), 0o666)}, ""
		}, "SocketMode=0600", 78},
		"a socket elsewhere": {"", func(t *testing.T, dir string) ([]*os.File, string) {
			return []*os.File{unixSocket(t, filepath.Join(dir, "other.sock"), 0o600)}, ""
		}, "write the same path in both", 78},
		"TCP that the file doesn't have": {"", func(t *testing.T, _ string) ([]*os.File, string) {
			f, addr := tcpSocket(t, "127.0.0.1")
			return []*os.File{f}, addr
		}, "the wiring file has no TCP port", 78},
		"TCP at another address": {"listen: 127.0.0.1:1", func(t *testing.T, _ string) ([]*os.File, string) {
			f, addr := tcpSocket(t, "127.0.0.1")
			return []*os.File{f}, addr
		}, "write the same address in both", 78},
		"TCP for others, by a name of this machine": {"listen: 'localhost:%s'", func(t *testing.T, _ string) ([]*os.File, string) {
			f, addr := tcpSocket(t, "0.0.0.0")
			_, port, _ := net.SplitHostPort(addr)
			return []*os.File{f}, port
		}, "other machines can reach", 78},
		"a file": {"", func(t *testing.T, dir string) ([]*os.File, string) {
			f, err := os.Create(filepath.Join(dir, "x"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return []*os.File{f}, ""
		}, "it is not a socket", 78},
		"a connection, as by Accept=yes": {"", func(t *testing.T, dir string) ([]*os.File, string) {
			_, addr := tcpSocket(t, "127.0.0.1")
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			f, err := c.(*net.TCPConn).File()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close(); c.Close() })
			return []*os.File{f}, ""
		}, "Accept=no", 78},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files, addr := x.files(t, dir)
			server := x.server
			if strings.Contains(server, "%s") {
				server = fmt.Sprintf(server, addr)
			}
			wireAt(t, dir, "server: {"+server+"}\nhandlers: []\n")
			d := passed(t, dir, files...)
			if code := d.code(t); code != x.code || !strings.Contains(strings.ReplaceAll(d.log.String(), "\n  ", " "), x.want) {
				t.Errorf("exit %d: %s", code, d.log)
			}
		})
	}
}
