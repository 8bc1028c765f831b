package cmd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/cmd/api/client"
	"evrun/events"
	"evrun/store/storetest"
)

// npm's EventSource follows a stream with a filter while the daemon is killed again and again: each event that the filter selects comes exactly once, and in order.
//
// EVRUN_STREAM_KILLS is how many kills; 5, and 20 in .ci/run.
func TestAnEventSourceMissesNothingWhenTheDaemonIsKilled(t *testing.T) {
	proof(t)
	if _, err := os.Stat(filepath.Join(clients, "node_modules", ".package-lock.json")); err != nil {
		unable(t, "node", fmt.Errorf("npm ci --prefix .ci/clients hasn't been run: %w", err))
	}
	followOverKills(t, "stream.mjs")
}

// So does the dashboard.
func TestTheDashboardsStreamMissesNothingWhenTheDaemonIsKilled(t *testing.T) {
	proof(t)
	if _, err := exec.LookPath("node"); err != nil {
		unable(t, "node", err)
	}
	followOverKills(t, "dashboard.mjs")
}

// followOverKills runs a program in JavaScript that follows a stream while the daemon is killed. EVRUN_STREAM_KILLS says how often.
func followOverKills(t *testing.T, script string) {
	t.Helper()
	kills := storetest.Size(t, "EVRUN_STREAM_KILLS", 5, 20)
	dir := wired(t, clientsWiring)
	d := serve(t, dir, nil)
	d.ready(t)

	var errs bytes.Buffer
	follower := exec.Command("node", script, "unix:"+filepath.Join(dir, "evrun.sock"), "type=a.>,z.end&where=data?.n%20!=%207")
	follower.Dir, follower.Stderr = clients, &errs
	out, err := follower.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follower.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = follower.Process.Kill() })
	var got []string
	lines := bufio.NewScanner(out)
	until := func(end string) {
		t.Helper()
		for lines.Scan() {
			if seq, ok := strings.CutPrefix(lines.Text(), "event "); ok {
				got = append(got, seq)
			} else if lines.Text() == end {
				return
			}
		}
		t.Fatalf("it has ended before it said %q: %v\n%s", end, follower.Wait(), &errs)
	}
	until("open 1")

	ctx, stop := context.WithCancel(t.Context())
	sent := emitUntil(ctx, t, d.client)
	for i := range kills {
		pauseFor(t.Context(), rand.N(300*time.Millisecond))
		d.kill(t)
		d = serve(t, dir, nil)
		d.ready(t)
		until(fmt.Sprint("open ", i+2))
	}
	stop()
	want := sent()
	if _, err := d.client.Emit(t.Context(), &events.Event{Type: "z.end", Source: "/test", ID: "end", Data: json.RawMessage(`{}`)}); err != nil {
		t.Fatal(err)
	}
	until("end")
	if err := follower.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, &errs)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d events of %d, or others: it is not each of them once", len(got), len(want))
	}
	t.Logf("%d kills: %d events, each once", kills, len(got))
	d.stop(t)
}

// emitUntil publishes events until ctx ends, each until it is acknowledged. The returned function waits for that, and returns the seqs of those that the
// stream's filter selects.
func emitUntil(ctx context.Context, t *testing.T, c *client.Client) func() []string {
	var done sync.WaitGroup
	var seqs []string
	done.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			typ := []string{"a.b", "b.c", "a.c.d"}[n%3]
			e := &events.Event{Type: typ, Source: "/test", ID: fmt.Sprint(n), Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n%10))}
			for {
				r, err := c.Emit(context.WithoutCancel(ctx), e)
				if err == nil {
					if typ != "b.c" && n%10 != 7 {
						seqs = append(seqs, fmt.Sprint(r.Sequence))
					}
					break
				}
				pauseFor(t.Context(), 5*time.Millisecond)
			}
			pauseFor(ctx, time.Millisecond)
		}
	})
	return func() []string {
		done.Wait()
		return seqs
	}
}
