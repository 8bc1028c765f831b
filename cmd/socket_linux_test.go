package cmd_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asNobody runs evrun as another user.
func asNobody(t *testing.T, dir string, args ...string) (out string, code int) {
	t.Helper()
	bin, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "evrun") // the test binary's directory is root's
	if text, err := exec.Command("cp", bin, own).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, open := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(own, args...)
	c.Dir, c.Env = dir, append(os.Environ(), "HOME="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	text, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), c.ProcessState.ExitCode()
}

// TestAnotherUserConnects: a user who may not connect to the socket gets the reason; socket_mode and socket_group let other users in.
func TestAnotherUserConnects(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		unable(t, "root", errors.New("a command of another user"))
	}
	for server, want := range map[string]struct {
		mode os.FileMode
		code int
	}{
		"max_event: 1MiB":                         {0o600, 69},
		`socket_mode: "0660"`:                     {0o660, 69},
		`socket_group: "65534"`:                   {0o660, 0},
		`socket_mode: "0666", socket_group: root`: {0o666, 0},
		`socket_mode: "0666"`:                     {0o666, 0},
	} {
		t.Run(server, func(t *testing.T) {
			dir := wired(t, "server: {"+server+"}\nhandlers: []\n")
			if err := os.Chmod(filepath.Join(dir, "evrun.yaml"), 0o644); err != nil {
				t.Fatal(err)
			}
			d := serve(t, dir, nil)
			d.ready(t)
			if info, err := os.Stat(filepath.Join(dir, "evrun.sock")); err != nil || info.Mode().Perm() != want.mode {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			for _, command := range []string{"status", "emit a.b", "tail"} {
				if command == "tail" && want.code == 0 {
					continue
				}
				out, code := asNobody(t, dir, strings.Fields(command)...)
				if code != want.code || code == 69 && (!strings.Contains(out, "evrun.sock: permission denied") || !strings.Contains(out, "hint: run this as the user of the daemon")) {
					t.Errorf("%s: exit %d: %s", command, code, out)
				}
			}
			d.stop(t)
		})
	}
}

// TestAnotherUsersSocketIsNotTrusted: a socket that somebody else has put where the daemon's should be gets no event, unless that is
// the owner of the wiring file or the store.
func TestAnotherUsersSocketIsNotTrusted(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		unable(t, "root", errors.New("a daemon of another user"))
	}
	theirs := wired(t, "handlers: []\n")
	c := unprivileged(t, theirs)
	c.Dir = theirs
	d := serveWith(t, theirs, c)
	eventuallyTrue(t, "their daemon runs", func() (bool, string) {
		out, code := run(t, theirs, "status") // the owner of the wiring file
		return code == 0, out
	})
	dir := wired(t, fmt.Sprintf("server: {socket: %s/evrun.sock}\nhandlers: []\n", theirs))
	for _, command := range []string{"emit a.b", "status", "tail"} {
		out, code := run(t, dir, strings.Fields(command)...)
		if code != 69 || !strings.Contains(out, "it belongs to a process of another user (uid 65534), who owns neither the wiring file nor the store") {
			t.Errorf("%s: exit %d: %s", command, code, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "evrun.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(dir, "evrun.db"), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if out, code := run(t, dir, "status"); code != 0 {
		t.Errorf("the owner of the store: exit %d: %s", code, out)
	}
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	d.code(t)
}
