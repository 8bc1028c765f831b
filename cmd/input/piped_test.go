package input

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pipe is a pipe whose ends are closed with the test.
func pipe(t *testing.T) (r, w *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// What is piped in, or redirected from a file, is read to its end.
func TestPipedDataIsRead(t *testing.T) {
	r, w := pipe(t)
	go func() {
		for _, part := range []string{`{"a"`, `:1}`} {
			_, _ = w.WriteString(part)
		}
		w.Close()
	}()
	if data, err := Piped(t.Context(), r, time.Hour); err != nil || string(data) != `{"a":1}` {
		t.Errorf("a pipe: %q, %v", data, err)
	}
	path := filepath.Join(t.TempDir(), "data.json")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, err := Piped(t.Context(), f, 0); err != nil || string(data) != "{}" {
		t.Errorf("a file: %q, %v", data, err)
	}
}

// A pipe in which nothing comes, and that nobody closes, holds nobody up; neither does an interrupt wait for it.
func TestAnIdlePipeIsRefused(t *testing.T) {
	r, w := pipe(t)
	if data, err := Piped(t.Context(), r, time.Millisecond); !errors.Is(err, ErrIdle) {
		t.Errorf("an open pipe: %q, %v", data, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if data, err := Piped(ctx, r, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupt: %q, %v", data, err)
	}
	w.Close()
	if data, err := Piped(t.Context(), r, time.Hour); err != nil || len(data) > 0 {
		t.Errorf("a closed pipe: %q, %v", data, err)
	}
}

// Where nobody has redirected anything, nothing is read: from /dev/null, a socket, or a closed descriptor.
func TestOtherInputsAreLeftAlone(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	closed, _ := pipe(t)
	closed.Close()
	for name, f := range map[string]*os.File{"/dev/null": null, "a socket": socket, "a closed file": closed} {
		if data, err := Piped(t.Context(), f, 0); err != nil || len(data) > 0 {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}
