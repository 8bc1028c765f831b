package cmd_test

import (
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ioErrorLosesNothing has strace answer a write, or a sync, of the write-ahead log with an I/O error while the daemon is under load. The state on
// disk after a failed commit is unknown, so the daemon acknowledges no further writes, and exits with 1, a message and a hint. It can be started
// again, and the checks that hold after a crash hold here, too.
func ioErrorLosesNothing(t *testing.T) {
	proof(t)
	t.Parallel()
	ableToTrace(t)
	for _, c := range []struct {
		name, calls, when string
		watched           bool // from the start: each acknowledgement can be held against the syncs before it
	}{
		{"one-sync-fails", "fsync,fdatasync", "1", false},
		{"the-third-sync-fails", "fsync,fdatasync", "3", false},
		{"no-sync-works-any-more", "fsync,fdatasync", "100+", true},
		{"one-write-fails", "pwrite64", "1", false},
		{"the-fifth-write-fails", "pwrite64", "5", false},
		{"no-write-works-any-more", "pwrite64", "1000+", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := wired(t, loadWiring)
			env := []string{proofHandlers + "=load"}
			d := serve(t, dir, env)
			d.ready(t)
			d.stop(t)
			indexUsers(t, dir)
			l := openLedger(t, dir)

			inject := "inject=" + c.calls + ":error=EIO:when=" + c.when
			trace := ""
			if c.watched {
				var td *tracedDaemon
				td, trace = traced(t, dir, env, "-y", "-s", "65536", "-e", "trace=fsync,fdatasync,pwrite64,pwritev,write,writev,sendmsg,sendto", "-e", inject)
				d = td.daemon
			} else {
				d = serve(t, dir, env)
			}
			d.ready(t)
			load := emit(t.Context(), dir+"/evrun.sock", 4)
			defer load.done.Wait()
			defer load.stop()
			if !c.watched {
				pauseFor(t.Context(), 50*time.Millisecond+rand.N(200*time.Millisecond))
				tracer := exec.Command("strace", "-f", "-qq", "-o", filepath.Join(dir, "trace"), "-p", strconv.Itoa(d.cmd.Process.Pid),
					"-P", filepath.Join(dir, "evrun.db-wal"), "-e", "trace="+c.calls, "-e", inject)
				if err := tracer.Start(); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = tracer.Wait() }() // it ends with the traced process
			}
			if code := d.code(t); code != exitFailed {
				t.Fatalf("exit %d, not %d\n%s", code, exitFailed, d.log)
			}
			for _, text := range []string{"the store failed while writing", "hint: check the disk"} {
				if !strings.Contains(d.log.String(), text) {
					t.Errorf("the daemon's last words have no %q:\n%s", text, d.log)
				}
			}
			if c.watched {
				if _, violations := checkSyncs(t, trace); len(violations) > 0 {
					t.Errorf("%d events were acknowledged before they were on disk: %s", len(violations), violations[0])
				}
			}
			check := func() {
				t.Helper()
				l.loadRecorded(t, load.take(t), 0)
				l.whole(t)
			}
			check()

			d = serve(t, dir, env)
			d.ready(t)
			pauseFor(t.Context(), 100*time.Millisecond)
			load.stop()
			load.done.Wait()
			l.loadSettled(t)
			d.stop(t)
			check()
			l.has(t, loadSource, load.acknowledged)
			l.none(t, "runs that are not over", `SELECT sequence, handler, state FROM runs WHERE state <= 2`)
			t.Logf("%d events acknowledged", len(load.acknowledged))
		})
	}
}

const exitFailed = 1
