// Package apitest has what the tests of the API, of its client and of its streams need to serve on a Unix socket.
//
//	server := api.NewServer(options)
//	socket, closed := apitest.Serve(t, server)
package apitest

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Dir makes a directory with a short path, which ends with the test. The path of a socket is limited, and that of t.TempDir may be too long.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "evrun")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Listen listens on a socket in a directory of its own.
func Listen(t testing.TB) (l net.Listener, socket string) {
	t.Helper()
	socket = filepath.Join(Dir(t), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	return l, socket
}

// Server is an api.Server, which this package does not import: the tests of its parts call it, too.
type Server interface {
	Serve(l net.Listener) error
	Close(ctx context.Context) error
}

// Serve has a server answer on a socket, until close. The caller must call close, which may be called again.
func Serve(t testing.TB, s Server) (socket string, close func()) {
	t.Helper()
	l, socket := Listen(t)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	return socket, sync.OnceFunc(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
		serving.Wait()
	})
}
