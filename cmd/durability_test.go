package cmd_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"evrun/events"
)

// acknowledgedAfterTheSync traces the daemon's system calls. For each of 1,000 events, sent one at a time, a sync of the write-ahead log must begin
// after the event was written to the log, and return before the acknowledgement is sent. The same check finds no such sync with store.synchronous:
// normal, so it can fail.
func acknowledgedAfterTheSync(t *testing.T) {
	proof(t)
	t.Parallel()
	const n = 1000
	for _, synchronous := range []string{"full", "normal"} {
		t.Run(synchronous, func(t *testing.T) {
			dir := wired(t, "store: {path: evrun.db, synchronous: "+synchronous+"}\nhandlers: []\n")
			d, trace := traced(t, dir, nil, "-y", "-s", "65536", "-e", "trace=fsync,fdatasync,pwrite64,pwritev,write,writev,sendmsg,sendto")
			d.ready(t)
			for i := range n {
				if _, err := d.client.Emit(t.Context(), &events.Event{Type: "a.b", ID: durableID(i), Source: "/proof"}); err != nil {
					t.Fatal(err)
				}
			}
			d.interrupt(t)
			acknowledged, violations := checkSyncs(t, trace)
			if acknowledged != n {
				t.Fatalf("the trace has %d acknowledgements, not %d", acknowledged, n)
			}
			switch {
			case synchronous == "full" && len(violations) > 0:
				t.Errorf("%d of %d events were acknowledged before they were on disk: %s", len(violations), n, violations[0])
			case synchronous == "normal" && len(violations) < n/2:
				t.Errorf("without syncs the check found %d violations only: it can't be trusted", len(violations))
			}
			t.Logf("synchronous=%s: %d of %d acknowledged before their sync", synchronous, len(violations), n)
		})
	}
}

func durableID(i int) string { return fmt.Sprintf("durable-%06d-", i) }

var (
	traceLine = regexp.MustCompile(`^(\d+) +(\w+)\((\d+)<([^>]*)>(.*)$`)
	resumed   = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>.*= (-?\d+)`)
	durable   = regexp.MustCompile(`durable-\d{6}-`)
	result    = regexp.MustCompile(`= (-?\d+)[^=]*$`)
)

// unsynced checks the acknowledgement of an event from write number n (0: none), when the writes up to synced are on disk. It returns the violation;
// empty: none.
func unsynced(id string, n, synced int) string {
	switch {
	case n == 0:
		return id + " was acknowledged, and never written"
	case n > synced:
		return fmt.Sprintf("%s was written as number %d, and only %d were synced", id, n, synced)
	}
	return ""
}

// checkSyncs reads a trace. Its order is that of the calls: strace notes a call when it returns, or, when others come in
// between, once when it begins and once when it returns.
func checkSyncs(t *testing.T, trace string) (acknowledged int, violations []string) {
	t.Helper()
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type call struct {
		sync, wal bool
		covers    int      // of a sync: number of writes that had returned when it began
		ids       []string // of a write: its events
	}
	open := map[string]call{}       // by thread
	writes := 0                     // to the log, that have returned
	written := map[string]int{}     // the number of the first write with this id
	synced := 0                     // writes up to here are on disk
	answered := map[string]string{} // by id: the verdict
	finish := func(c call, ok bool) {
		switch {
		case !ok || !c.wal:
		case c.sync:
			synced = max(synced, c.covers)
		default:
			writes++
			for _, id := range c.ids {
				if written[id] == 0 {
					written[id] = writes
				}
			}
		}
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		if m := resumed.FindStringSubmatch(line); m != nil {
			finish(open[m[1]], !strings.HasPrefix(m[3], "-"))
			delete(open, m[1])
			continue
		}
		m := traceLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		thread, name, file, rest := m[1], m[2], m[4], m[5]
		c := call{sync: name == "fsync" || name == "fdatasync", wal: strings.HasSuffix(file, "-wal"), covers: writes}
		switch {
		case c.sync:
		case c.wal:
			c.ids = durable.FindAllString(rest, -1)
		case strings.HasPrefix(file, "socket:") && strings.Contains(rest, "HTTP/1.1 202"):
			id := durable.FindString(rest)
			acknowledged++
			if verdict := unsynced(id, written[id], synced); verdict != "" {
				answered[id] = verdict
			}
		}
		if strings.HasSuffix(rest, "<unfinished ...>") {
			open[thread] = c
		} else if r := result.FindStringSubmatch(rest); r != nil {
			finish(c, !strings.HasPrefix(r[1], "-"))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, v := range answered {
		violations = append(violations, v)
	}
	return acknowledged, violations
}

// traced starts the daemon in dir under strace, which writes to the file trace; flags are strace's own.
func traced(t *testing.T, dir string, env []string, flags ...string) (d *tracedDaemon, trace string) {
	t.Helper()
	ableToTrace(t)
	trace = filepath.Join(dir, "trace")
	before := append([]string{"strace", "-f", "-qq", "-o", trace}, flags...)
	d = &tracedDaemon{daemon: serve(t, dir, append(env, proofTraced+"=1"), before...)}
	t.Cleanup(func() {
		select {
		case <-d.ended:
		default: // the test failed: a killed strace would let its child live on
			if text, err := os.ReadFile(filepath.Join(dir, "evrun.db.lock")); err == nil {
				if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
					killProcess(pid)
				}
			}
		}
	})
	return d, trace
}

// ableToTrace checks whether strace exists and may trace.
func ableToTrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		unable(t, "strace", err)
	}
	if out, err := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		unable(t, "strace", fmt.Errorf("%w: %s", err, out))
	}
}

// tracedDaemon is a daemon whose process is not ours but strace's child.
type tracedDaemon struct{ *daemon }

// pid is the daemon's own.
func (d *tracedDaemon) pid(t *testing.T) int {
	t.Helper()
	var status struct{ PID int }
	d.get(t, "/v1/status", &status)
	if status.PID == 0 {
		t.Fatal("the daemon tells no pid")
	}
	return status.PID
}

// interrupt stops the daemon; strace ends with it, and with its exit code.
func (d *tracedDaemon) interrupt(t *testing.T) {
	t.Helper()
	p, err := os.FindProcess(d.pid(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := d.code(t); code != 0 {
		t.Fatalf("exit %s\n%s", strconv.Itoa(code), d.log)
	}
}
