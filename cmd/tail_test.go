package cmd_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"evrun/cmd/daemon/daemontest"
)

// TestATailThatSawNothingYetMissesNothing breaks the connection of a tail before its first event. An event that is accepted before it reconnects is
// not lost.
func TestATailThatSawNothingYetMissesNothing(t *testing.T) {
	t.Parallel()
	d := daemontest.Start(t, "handlers: []\n")
	dir := d.Dir
	if err := os.WriteFile(filepath.Join(dir, "through.yaml"), []byte("server: {socket: through.sock}\nhandlers: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	evrun(t, dir, "emit", "a.b", "--id", "old").wait(t)

	l, err := net.Listen("unix", filepath.Join(dir, "through.sock"))
	if err != nil {
		t.Fatal(err)
	}
	began, broken := make(chan struct{}), make(chan struct{})
	var relays sync.WaitGroup
	relays.Go(func() {
		for first := true; ; first = false {
			c, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", filepath.Join(dir, "evrun.sock"))
			if err != nil {
				t.Error(err)
				return
			}
			relays.Go(func() { _, _ = io.Copy(to, c); to.Close() })
			if !first {
				relays.Go(func() { _, _ = io.Copy(c, to); c.Close() })
				continue
			}
			var seen bytes.Buffer
			for part := make([]byte, 4096); !bytes.Contains(seen.Bytes(), []byte("event: head")); {
				n, err := to.Read(part)
				if err != nil {
					t.Error(err)
					break
				}
				seen.Write(part[:n])
				_, _ = c.Write(part[:n])
			}
			close(began)
			<-broken
			c.Close()
		}
	})
	tail := evrun(t, dir, "tail", "-n", "0", "-o", "json", "-q", "-c", "through.yaml")
	<-began
	evrun(t, dir, "emit", "a.b", "--id", "new").wait(t)
	close(broken)
	tail.line(t, `"id":"new"`)
	evrun(t, dir, "emit", "a.b", "--id", "newer").wait(t)
	tail.line(t, `"id":"newer"`)
	tail.interrupt(t)
	if rest := tail.rest(); len(rest) > 0 {
		t.Errorf("and then %q", rest)
	}
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	l.Close()
	relays.Wait()
}

// TestATailOfTheStoreLeavesOlderEventsOut follows a store whose events are all older than --since: reading it again must not print them.
func TestATailOfTheStoreLeavesOlderEventsOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "evrun.yaml"), []byte("handlers: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	evrun(t, dir, "emit", "a.b", "--id", "old", "-q").wait(t)
	tail := evrun(t, dir, "tail", "--since", "1ns", "-o", "json", "-q")
	told := make(chan bool)
	go func() { told <- tail.lines.Scan() }()
	for follows := false; !follows; { // an event from before it has read the store is older, too
		evrun(t, dir, "emit", "a.b", "--subject", "new", "-q").wait(t)
		select {
		case follows = <-told:
			if !follows {
				t.Fatal("it has ended")
			}
		default:
		}
	}
	first := tail.lines.Text()
	tail.interrupt(t)
	for _, line := range append(tail.rest(), first) {
		if !strings.Contains(line, `"subject":"new"`) {
			t.Errorf("it printed %q", line)
		}
	}
}

// A condition on data selects events, and the runs on them; one that names the run selects runs alone. The event of a run is read from the journal
// where the tail began after it.
func TestATailFiltersEventsAndRunsAlike(t *testing.T) {
	t.Parallel()
	d := daemontest.Start(t, `handlers:
  - {name: all, on: a.b, do: log, with: {message: all}}
  - {name: again, on: c.d, do: exec, with: {command: ["false"]}, timeout: 1m, retry: {attempts: 1000000, backoff: 20ms, max: 20ms}}
`)
	evrun(t, d.Dir, "emit", "a.b", "-F", "n:=9", "--wait", "-q").wait(t)
	evrun(t, d.Dir, "emit", "c.d", "-F", "n:=9").wait(t)

	both := evrun(t, d.Dir, "tail", "a.b", "-n", "1", "--runs", "--where", "data.n > 1", "-o", "json")
	both.line(t, `"n":9`)
	for _, n := range []string{"n:=1", "n:=2"} {
		evrun(t, d.Dir, "emit", "a.b", "-F", n, "--wait", "-q").wait(t)
	}
	both.line(t, `"n":2`)
	both.line(t, `"handler":"all"`)
	both.interrupt(t)
	for _, line := range both.rest() {
		if !strings.Contains(line, `"handler":"all"`) {
			t.Errorf("and then %q", line)
		}
	}

	alone := evrun(t, d.Dir, "tail", "-n", "0", "--where", `run.state == "retrying" and run.attempt > 1 and data.n == 9`, "-o", "json")
	alone.line(t, `"handler":"again"`)
	alone.interrupt(t)
	for _, line := range alone.rest() {
		if !strings.Contains(line, `"state":"retrying"`) {
			t.Errorf("and then %q", line)
		}
	}
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
}
