package cmd_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/events"
)

// fill uses up all free space, and returns a function that frees it.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{64 << 10, 4096, 1} {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// fullDiskLosesNothing fills the disk under a daemon under load. While it is full, senders get the reason (507, and exit 75 of emit), only stored
// events are acknowledged, no attempt of an outside handler begins, reads work, and the daemon stays up. When there is space again, it continues by
// itself and handles all accepted events.
func fullDiskLosesNothing(t *testing.T) {
	proof(t)
	t.Parallel()
	dir, ok := tmpfs(t, "24m")
	if !ok {
		return
	}
	wireAt(t, dir, loadWiring)
	elsewhere := t.TempDir()
	env := []string{proofHandlers + "=load", proofEffects + "=" + elsewhere}
	d := serve(t, dir, env)
	d.ready(t)
	d.stop(t)
	indexUsers(t, dir)
	l := openLedger(t, dir)
	l.effectsDir = elsewhere
	d = serve(t, dir, env)
	d.ready(t)
	load := emit(t.Context(), dir+"/evrun.sock", 4)
	defer load.done.Wait()
	defer load.stop()
	pauseFor(t.Context(), 200*time.Millisecond)

	for round := range 4 {
		empty := fill(t, dir)
		var p *api.Problem
		eventuallyTrue(t, "a sender is told that the disk is full", func() (bool, string) {
			_, err := d.client.Emit(t.Context(), &events.Event{Type: "load.other", Source: "/full"})
			return errors.As(err, &p) && p.Status == http.StatusInsufficientStorage, fmt.Sprint(err)
		})
		if !strings.Contains(p.Detail, "no space left") {
			t.Errorf("the problem is %q", p.Detail)
		}
		// From the outside, and while others ask for the last bytes as well.
		for range 5 {
			out, code := run(t, dir, "emit", "load.other", "-d", `{"n":1}`)
			if code != exitTryAgain || !strings.Contains(out, "make room") {
				t.Errorf("emit: exit %d, not %d: %s", code, exitTryAgain, out)
			}
		}
		pauseFor(t.Context(), 300*time.Millisecond)
		// Events that still fit, for example in a restarted log, are stored; the others were refused, and no handler ran on them.
		l.has(t, loadSource, load.take(t))
		l.recorded(t)
		var status map[string]any
		d.get(t, "/v1/status", &status)
		d.get(t, "/v1/events?limit=5", &status)
		if out, code := run(t, dir, "users", "list"); code != 0 {
			t.Errorf("users list on a full disk: exit %d: %s", code, out)
		}
		if round > 0 { // killed while the disk is full: it starts, or says why it can't
			d.kill(t)
			if round == 2 {
				// The files that it must make again, and those that SQLite needs even to read.
				if err := os.Remove(filepath.Join(dir, "evrun.db-shm")); err != nil {
					t.Fatal(err)
				}
				fill(t, dir)
			}
			if d = serve(t, dir, env); !d.startedOrSaidWhy(t) {
				empty()
				d = serve(t, dir, env)
				d.ready(t)
				continue
			}
		}
		empty()
		eventuallyTrue(t, "events are accepted again", func() (bool, string) {
			_, err := d.client.Emit(t.Context(), &events.Event{Type: "load.other", Source: "/full"})
			return err == nil, fmt.Sprint(err)
		})
		pauseFor(t.Context(), 100*time.Millisecond)
	}
	load.stop()
	load.done.Wait()
	l.loadSettled(t)
	d.stop(t)
	l.loadRecorded(t, load.acknowledged, 0)
	l.whole(t)
	l.none(t, "runs that are not over", `SELECT sequence, handler, state FROM runs WHERE state <= 2`)
	t.Logf("%d events acknowledged", len(load.acknowledged))
}

const exitTryAgain = 75

// startedOrSaidWhy waits until the daemon is ready (true), or has ended with 75 and the hint to make room.
func (d *daemon) startedOrSaidWhy(t *testing.T) (started bool) {
	t.Helper()
	eventuallyTrue(t, "the daemon has started, or ended", func() (bool, string) {
		select {
		case <-d.ended:
			return true, ""
		default:
			err := d.client.Ping(t.Context())
			started = err == nil
			return started, fmt.Sprint(err)
		}
	})
	if started {
		return true
	}
	switch code := d.code(t); {
	case code != exitTryAgain:
		t.Errorf("serve on a full disk: exit %d, not %d\n%s", code, exitTryAgain, d.log)
	case !strings.Contains(d.log.String(), "make room"):
		t.Errorf("serve on a full disk says\n%s", d.log)
	}
	t.Logf("serve on a full disk says: %s", strings.TrimSpace(d.log.String()))
	return false
}

// run runs evrun in dir to its end, and returns its output and exit code.
func run(t *testing.T, dir string, args ...string) (out string, code int) {
	t.Helper()
	c := exec.Command(self(t, dir, "evrun"), args...)
	c.Dir = dir
	text, err := c.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(text), c.ProcessState.ExitCode()
}
