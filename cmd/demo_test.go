package cmd_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// Ctrl-C ends the demo and its daemon, and removes the directory.
func TestCtrlCEndsTheDemo(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	c := exec.Command(link(t, t.TempDir()), "demo", "--pause", "1h")
	c.Env = append(os.Environ(), "TMPDIR="+tmp)
	terminal, err := pty.StartWithSize(c, &pty.Winsize{Rows: 50, Cols: 80})
	if err != nil {
		unable(t, "terminals", err)
	}
	defer terminal.Close()
	for lines := bufio.NewScanner(terminal); lines.Scan(); {
		if strings.Contains(lines.Text(), "retry:") { // the end of the wiring file, before the first pause
			break
		}
	}
	if _, err := terminal.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, terminal) // Linux ends it with EIO
	if code := exitCode(t, c.Wait()); code != 130 {
		t.Errorf("exit code %d", code)
	}
	if left, err := filepath.Glob(filepath.Join(tmp, "evrun-demo-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
