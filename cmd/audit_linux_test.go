package cmd_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheAuditTrailNamesTheUserOfTheCommand: each action is recorded with the user of the process that asked the daemon, or that wrote
// to the store without one.
func TestTheAuditTrailNamesTheUserOfTheCommand(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		unable(t, "root", errors.New("a command of another user"))
	}
	dir := wired(t, `server: {socket_mode: "0666"}`+"\nschedules: [{name: tick, every: 24h, emit: a.b}]\nhandlers: []\n")
	if err := os.Chmod(filepath.Join(dir, "evrun.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := serve(t, dir, nil)
	d.ready(t)
	if out, code := asNobody(t, dir, "schedules", "pause", "tick"); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := run(t, dir, "schedules", "resume", "tick"); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	d.stop(t)
	if out, code := run(t, dir, "schedules", "pause", "tick"); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	out, code := run(t, dir, "tail", "--no-follow", "evrun.audit.>", "-o", "json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) != 3 {
		t.Fatalf("exit %d: %s", code, out)
	}
	for i, want := range []string{`"uid":65534`, `"who":"root (uid 0)"`, `"who":"root (uid 0)"`} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("%s has no %s", lines[i], want)
		}
	}
}
