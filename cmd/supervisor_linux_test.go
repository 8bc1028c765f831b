package cmd_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeTellsItsManager, over an abstract socket as a container's manager may have: READY comes when the store is open and the socket answers. The
// commands that the daemon starts are not told of the manager.
func TestServeTellsItsManager(t *testing.T) {
	dir := t.TempDir()
	wireAt(t, dir, `
pass_env: [NOTIFY_SOCKET, WATCHDOG_USEC]
handlers:
  - {name: look, on: a.b, do: exec, with: {command: [env], result: text}}
`)
	name := fmt.Sprintf("@evrun-test-%d", os.Getpid())
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d := serve(t, dir, []string{"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=60000000"})
	next := func() string {
		text := make([]byte, 4096)
		n, err := c.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(text[:n])
	}
	m := next()
	for strings.HasPrefix(m, "WATCHDOG=1") {
		m = next()
	}
	if !strings.HasPrefix(m, "READY=1\nSTATUS=1 handler and ") {
		t.Fatalf("%q", m)
	}
	if _, err := os.Stat(filepath.Join(dir, "evrun.db")); err != nil {
		t.Error(err)
	}
	s, err := net.Dial("unix", filepath.Join(dir, "evrun.sock"))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	d.ready(t)
	if out, code := run(t, dir, "emit", "a.b", "--wait"); code != 0 {
		t.Fatal(out)
	}
	out, code := run(t, dir, "runs", "logs", "look")
	if code != 0 || !strings.Contains(out, "EVRUN_RUN_ID=") || strings.Contains(out, "NOTIFY_SOCKET") || strings.Contains(out, "WATCHDOG") {
		t.Errorf("exit %d: %s", code, out)
	}
	d.stop(t)
	for m = next(); !strings.HasPrefix(m, "STOPPING=1\n"); m = next() {
		if !strings.HasPrefix(m, "WATCHDOG=1") {
			t.Errorf("%q", m)
		}
	}
}
