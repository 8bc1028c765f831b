package cmd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/store/storetest"
	"evrun/tasks"
)

func init() {
	wirings["backlog"] = func(string) []*tasks.Handler {
		return []*tasks.Handler{
			{Name: "stuck", On: only("bulk"), Kind: "x", Action: outsideFunc(func(ctx context.Context, _ *tasks.Delivery) (any, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})},
			{Name: "postponed", On: only("bulk"), Kind: "x", Action: insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
				return tasks.Effect{}, tasks.RetryAfter(time.Hour, errors.New("not now"))
			})},
			{Name: "ordered", On: only("bulk"), Kind: "tally", Action: tally{}, Concurrency: 1},
		}
	}
}

// maxResident is the memory that the daemon may use, however many events wait.
const maxResident = 150 << 20

// backlogCostsNoMemory publishes events for a stuck handler and for a handler whose runs all wait for a retry. The third handler handles all of them.
// The daemon's peak memory stays under 150 MB. After a kill and a restart, its memory again stays under 150 MB, and the time until it is ready, which
// is logged, doesn't grow with the backlog: under 2 s with 1,000,000 events.
//
// EVRUN_BACKLOG is how many events; 20,000, and 50,000 in .ci/run.
func backlogCostsNoMemory(t *testing.T) {
	proof(t)
	t.Parallel()
	n := storetest.Size(t, "EVRUN_BACKLOG", 20_000, 50_000)
	dir := wired(t, "log: {level: error}\nserver: {grace: 100ms}\nhandlers: []\n")
	env := []string{proofHandlers + "=backlog"}
	d := serve(t, dir, env)
	d.ready(t)
	began := time.Now()
	bulk(t, dir, n)
	accepted := time.Since(began)
	l := openLedger(t, dir)
	settled := func() {
		t.Helper()
		within(t, time.Minute+time.Duration(n)*time.Millisecond, "the handler beside them has done all, and all retries are postponed", func() (bool, string) {
			done := l.number(t, `SELECT low_water FROM handlers WHERE name = 'ordered'`)
			postponed := l.number(t, `SELECT low_water FROM handlers WHERE name = 'postponed'`)
			pauseFor(t.Context(), 50*time.Millisecond)
			return done >= int64(n) && postponed >= int64(n), fmt.Sprintf("done up to %d, postponed up to %d, of %d", done, postponed, n)
		})
	}
	settled()
	handled := time.Since(began)
	peak := d.peak(t)
	if peak > maxResident {
		t.Errorf("the daemon had %d MB in memory", peak>>20)
	}
	d.kill(t)

	began = time.Now()
	d = serve(t, dir, env)
	d.ready(t)
	restart := time.Since(began)
	bulk(t, dir, 1) // a new event is handled at once, although many wait for other handlers
	n++
	settled()
	again := d.peak(t)
	if again > maxResident {
		t.Errorf("the daemon had %d MB in memory after its restart", again>>20)
	}
	if users := l.number(t, `SELECT count(*) FROM users`); users != int64(n) {
		t.Errorf("%d effects for %d events", users, n)
	}
	if waiting := l.number(t, `SELECT count(*) FROM runs WHERE state = 2`); waiting < int64(n) {
		t.Errorf("%d of %d runs wait for a retry", waiting, n)
	}
	d.stop(t)
	t.Logf("%d events: accepted in %v, handled by two handlers in %v, peak %d MB; restart ready in %v, peak %d MB", n,
		accepted.Round(time.Millisecond), handled.Round(time.Millisecond), peak>>20, restart.Round(time.Millisecond), again>>20)
}

// peak returns the daemon's peak memory so far, in bytes.
func (d *daemon) peak(t *testing.T) (bytes int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Skipf("no /proc to read the daemon's memory from: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &bytes); err == nil {
			return bytes << 10
		}
	}
	t.Fatalf("no VmHWM in\n%s", text)
	return 0
}

// bulk sends n events as NDJSON, over four connections.
func bulk(t *testing.T, dir string, n int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "evrun.sock"))
	}}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	const lines = 1000
	chunks := make(chan int)
	for range 4 {
		wg.Go(func() {
			for size := range chunks {
				body := bytes.Repeat([]byte(`{"type":"bulk","source":"/bulk","data":{"name":"somebody","email":"somebody@example.com"}}`+"\n"), size)
				res, err := client.Post("http://evrun/v1/events", "application/x-ndjson", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					continue
				}
				answers, err := io.ReadAll(res.Body)
				res.Body.Close()
				if got := bytes.Count(answers, []byte(`"seq"`)); err != nil || got != size {
					t.Errorf("%d of %d lines were accepted (%v): %.300s", got, size, err, answers)
				}
			}
		})
	}
	for left := n; left > 0; left -= lines {
		chunks <- min(left, lines)
	}
	close(chunks)
	wg.Wait()
}
