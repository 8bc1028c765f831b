package cmd_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/store/sqlite"
	"evrun/store/storetest"
)

// TestStoppedWhileItStarts interrupts the daemon at any moment of its start, from the opening of its store on: it exits with 0, and the store is
// intact.
func TestStoppedWhileItStarts(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
log: {level: error}
schedules: [{name: tick, every: 100ms, emit: tick}]
handlers: [{name: log, on: tick, do: log, with: {message: hello}}]
`)
	rounds := storetest.Size(t, "", 15, 100)
	lock := filepath.Join(dir, "evrun.db.lock")
	for range rounds {
		if err := os.Remove(lock); err != nil && !errors.Is(err, fs.ErrNotExist) { // the last daemon left it behind
			t.Fatal(err)
		}
		d := serve(t, dir, nil)
		for deadline := time.Now().Add(patience); ; { // without a pause, since the moments that follow are tested
			if _, err := os.Stat(lock); err == nil {
				break
			} else if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		<-time.After(time.Duration(rand.Int64N(int64(40 * time.Millisecond))))
		if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if code := d.code(t); code != 0 {
			t.Fatalf("exit %d", code)
		}
	}
	s, err := sqlite.OpenReader(filepath.Join(dir, "evrun.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestStoppedBeforeItBegins interrupts the daemon while its packages are initialised, as early as possible: it exits with 0 and is not killed by the
// signal.
func TestStoppedBeforeItBegins(t *testing.T) {
	t.Parallel()
	dir := wired(t, "handlers: []\n")
	c := exec.Command(self(t, dir, proofName), "serve")
	c.Dir, c.Env = dir, append(os.Environ(), "GODEBUG=inittrace=1")
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill() }()
	before := 0
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "init "); ok {
			if name, _, _ = strings.Cut(name, " "); strings.Contains(name, ".") {
				before++
			}
			if name == "evrun/cmd/stopping" {
				if err := c.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				if before > 5 {
					t.Errorf("%d packages of others are initialised before it listens to signals", before)
				}
			}
		}
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// TestASecondSignal: two signals at once count as one; a later one stops the daemon at once.
func TestASecondSignal(t *testing.T) {
	t.Parallel()
	dir := execFolder(t, "1h", `trap '' TERM; echo begun >&9; while :; do sleep 1; done`)
	d := serve(t, dir, nil)
	d.ready(t)
	if out, code := run(t, dir, "emit", "a.b"); code != 0 {
		t.Fatal(out)
	}
	lifeline := openLifeline(t, dir)
	readLine(t, lifeline)
	for range 2 {
		if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	// It keeps draining: commands are told to try again.
	eventuallyTrue(t, "the daemon drains", func() (bool, string) {
		err := d.client.Ping(t.Context())
		var p *api.Problem
		return errors.As(err, &p), fmt.Sprint(err)
	})
	pauseFor(t.Context(), 1100*time.Millisecond)
	if err := d.client.Ping(t.Context()); errors.Is(err, api.ErrNoDaemon) {
		t.Error("two signals at once have ended it")
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := d.code(t); code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	// The running command is ended, too.
	if rest, err := io.ReadAll(lifeline); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}
