package cmd_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api/client"
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
)

// TestTailGoesOnOverARestart follows the journal while the daemon stops and starts again, with an event accepted in between.
func TestTailGoesOnOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "evrun.yaml"), []byte("handlers: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	evrun(t, dir, "emit", "a.b", "--id", "1").wait(t)
	tail := evrun(t, dir, "tail", "-o", "json", "-q")
	tail.line(t, `"id":"1"`)
	for _, id := range []string{"2", "4"} {
		daemon := evrun(t, dir, "serve")
		daemon.line(t, "evrun")
		evrun(t, dir, "emit", "a.b", "--id", id).wait(t)
		tail.line(t, `"id":"`+id+`"`)
		daemon.interrupt(t)
		evrun(t, dir, "emit", "a.b", "--id", id+"x").wait(t)
		tail.line(t, `"id":"`+id+`x"`)
	}
	tail.interrupt(t)
	if rest := tail.rest(); len(rest) > 0 {
		t.Errorf("and then %q", rest)
	}
}

// TestStoppingUnderLoadLosesNothing interrupts a daemon again and again while events come in, and counts at the end.
func TestStoppingUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "evrun.yaml"), []byte(`
handlers:
  - {name: save, on: user.registered, do: user.insert, with: {name: x, email: "${ event.id }@example.com"}, emit: user.created}
  - {name: announce, on: user.created, do: notify, with: {message: hello}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := client.New(filepath.Join(dir, "evrun.sock"))
	acknowledged := map[string]bool{}
	next := 0
	for range 5 {
		daemon := evrun(t, dir, "serve")
		daemon.line(t, "evrun")
		stop := time.After(200 * time.Millisecond)
		for stopping := false; ; next++ {
			select {
			case <-stop:
				daemon.signal(t)
				stopping = true
			default:
			}
			id := fmt.Sprint(next)
			if _, err := c.Emit(t.Context(), &events.Event{Type: "user.registered", ID: id, Source: "/test"}); err == nil {
				acknowledged[id] = true
			} else if stopping {
				break
			} else {
				t.Fatal(err)
			}
		}
		daemon.wait(t)
	}
	daemon := evrun(t, dir, "serve")
	daemon.line(t, "evrun")
	deadline := time.Now().Add(patience)
	for {
		s, err := sqlite.OpenReader(filepath.Join(dir, "evrun.db"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := s.CountUsers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		missing := 0
		for id := range acknowledged {
			if _, err := s.User(t.Context(), id+"@example.com"); err != nil {
				missing++
			}
		}
		s.Close()
		if missing == 0 {
			t.Logf("%d acknowledged, %d users", len(acknowledged), n)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d acknowledged events have no user", missing, len(acknowledged))
		}
		<-time.After(50 * time.Millisecond)
	}
	daemon.interrupt(t)
	s, err := sqlite.OpenReader(filepath.Join(dir, "evrun.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, state := range []store.RunState{store.Running, store.Retrying, store.Dead} {
		runs, err := s.Runs(t.Context(), store.RunQuery{State: state})
		if err != nil || len(runs) > 0 {
			t.Errorf("%d runs are %v (%v)", len(runs), state, err)
		}
	}
}

// process is a running evrun.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// link makes a link named evrun to this test binary in a directory: testscript.Main runs the command with the name of the link.
func link(t *testing.T, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "evrun")
	if err := os.Symlink(self, link); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	return link
}

func evrun(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(link(t, dir), args...)}
	p.cmd.Dir = dir
	p.start(t)
	return p
}

func (p *process) start(t *testing.T) {
	t.Helper()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // it has ended, or the test failed
}

// line reads the next line, which must contain text.
func (p *process) line(t *testing.T, text string) {
	t.Helper()
	if !p.lines.Scan() || !strings.Contains(p.lines.Text(), text) {
		t.Fatalf("%v: the next line is %q, not one with %q", p.cmd.Args[1:], p.lines.Text(), text)
	}
}

func (p *process) rest() (lines []string) {
	for p.lines.Scan() {
		lines = append(lines, p.lines.Text())
	}
	return lines
}

func (p *process) signal(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

func (p *process) wait(t *testing.T) {
	t.Helper()
	rest := p.rest()
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("%v: %v %q", p.cmd.Args[1:], err, rest)
	}
}

// interrupt stops it, and waits for its end.
func (p *process) interrupt(t *testing.T) {
	t.Helper()
	p.signal(t)
	if p.cmd.Args[1] == "tail" {
		return
	}
	p.wait(t)
}
