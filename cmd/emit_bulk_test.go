package cmd_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"evrun/cmd/api/apitest"
)

// folder makes a directory with a short path (a socket's path is limited), and a wiring file in it.
func folder(t *testing.T) string {
	t.Helper()
	dir := apitest.Dir(t)
	if err := os.WriteFile(filepath.Join(dir, "evrun.yaml"), []byte("handlers: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// ran runs evrun to its end, and returns its exit code and its stderr.
func ran(t *testing.T, dir string, args ...string) (code int, stderr string) {
	t.Helper()
	c := exec.Command(link(t, dir), args...)
	c.Dir = dir
	var text strings.Builder
	c.Stderr = &text
	err := c.Run()
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		return ee.ExitCode(), text.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, text.String()
}

// TestDaemonThatCanTakeNothingNowIsExit75 has a daemon that answers with 507 or 503 to everything.
func TestDaemonThatCanTakeNothingNowIsExit75(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	var status atomic.Int64
	l, err := net.Listen("unix", filepath.Join(dir, "evrun.sock"))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, `{"status":`+strconv.FormatInt(status.Load(), 10)+`,"title":"x","detail":"not now"}`)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	defer func() {
		s.Close()
		<-done
	}()
	if err := os.WriteFile(filepath.Join(dir, "lines"), []byte("{\"type\":\"a.b\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, code := range []int64{http.StatusInsufficientStorage, http.StatusServiceUnavailable} {
		status.Store(code)
		for _, args := range [][]string{
			{"emit", "a.b"},
			{"emit", "a.b", "--wait"},
			{"emit", "--ndjson", "lines"},
			{"runs", "retry", "1-h-aaaaaaaa"},
			{"runs", "retry", "--all"},
			{"runs", "drop", "--handler", "h"},
		} {
			if code, stderr := ran(t, dir, args...); code != 75 || !strings.Contains(stderr, "not now") {
				t.Errorf("%d: %v: exit %d, %s", status.Load(), args, code, stderr)
			}
		}
	}
}

// TestBulkSaysHowToGoOn sends lines to a daemon that dies or stops, and interrupts a sender. Acknowledged lines are stored, and continuing at the
// line in the message completes the upload.
func TestBulkSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		end  func(t *testing.T, daemon, sender *process)
		code int
		want string
	}{
		{"killed daemon", func(_ *testing.T, daemon, _ *process) { _ = daemon.cmd.Process.Kill() }, 69, "the daemon stopped"},
		{"stopped daemon", func(t *testing.T, daemon, _ *process) { daemon.signal(t) }, 75, "evrun is stopping"},
		{"interrupted sender", func(t *testing.T, _, sender *process) { sender.signal(t) }, 130, "stopped before the end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := folder(t)
			daemon := evrun(t, dir, "serve")
			daemon.line(t, "evrun")
			lines, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			sender := &process{cmd: exec.Command(link(t, dir), "emit", "--ndjson", "-", "-o", "json")}
			sender.cmd.Dir, sender.cmd.Stdin = dir, lines
			var stderr strings.Builder
			sender.cmd.Stderr = &stderr
			sender.start(t)
			lines.Close()
			for i := 1; i <= 3; i++ {
				if _, err := io.WriteString(w, `{"type":"a.b","id":"`+strconv.Itoa(i)+`"}`+"\n"); err != nil {
					t.Fatal(err)
				}
				sender.line(t, `"id":"`+strconv.Itoa(i)+`"`)
			}
			test.end(t, daemon, sender)
			sender.rest()
			var ee *exec.ExitError
			if err := sender.cmd.Wait(); !errors.As(err, &ee) || ee.ExitCode() != test.code {
				t.Errorf("it ended with %v, want %d", err, test.code)
			}
			for _, want := range []string{test.want, "lines 1 to 3 are acknowledged", "go on with --from-line 4"} {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("stderr has no %q:\n%s", want, stderr.String())
				}
			}
			if test.code == 130 {
				daemon.signal(t)
			}
			daemon.rest()
			_ = daemon.cmd.Wait() // killed, or stopped
			if err := os.WriteFile(filepath.Join(dir, "lines"), []byte(strings.Repeat("\n", 3)+`{"type":"a.b","id":"4"}`), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, stderr := ran(t, dir, "emit", "--ndjson", "lines", "--from-line", "4"); code != 0 || !strings.Contains(stderr, "1 accepted") {
				t.Errorf("exit %d: %s", code, stderr)
			}
			list := evrun(t, dir, "events", "list")
			if rest := list.rest(); len(rest) != 5 {
				t.Errorf("%q", rest)
			}
		})
	}
}
