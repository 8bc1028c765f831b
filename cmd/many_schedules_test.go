package cmd_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"evrun/store/storetest"
)

// 10,000 schedules, of which 1,000 are due in the same second: each of those publishes its slot. How soon it does is logged.
func TestTenThousandSchedules(t *testing.T) {
	storetest.LongOnly(t)
	t.Parallel()
	const before = 8 * time.Second
	var (
		dir   string
		d     *daemon
		ready time.Duration
	)
	for wait := before; ; wait *= 3 { // until the daemon is ready before the slots are due
		at := time.Now().Add(wait).Truncate(time.Second).UTC()
		dir = wired(t, manySchedules(at))
		begun := time.Now()
		d = serve(t, dir, nil)
		d.ready(t)
		if ready = time.Since(begun); time.Now().Before(at) {
			break
		}
		t.Logf("ready after %v: too late for slots at %v", ready.Round(time.Millisecond), at)
		d.stop(t)
	}
	within(t, patience, "1,000 slots are published", func() (bool, string) {
		due := len(journal(t, dir))
		return due >= 1000, fmt.Sprintf("%d are", due)
	})
	memory := d.peak(t)
	var late []string
	for line := range strings.Lines(metricsOf(t, dir)) {
		if name, value, _ := strings.Cut(line, " "); strings.HasPrefix(name, "evrun_schedule_lateness_seconds_bucket") {
			late = append(late, strings.TrimPrefix(name, "evrun_schedule_lateness_seconds_bucket")+" "+strings.TrimSpace(value))
		}
	}
	if len(late) == 0 || !strings.HasSuffix(late[len(late)-1], " 1000") {
		t.Errorf("the metrics say %v", late)
	}
	if memory > 128<<20 {
		t.Errorf("%d MiB resident at the peak", memory>>20)
	}
	t.Logf("%d MiB at the peak with the metrics", d.peak(t)>>20)
	d.stop(t)
	t.Logf("ready after %v, %d MiB at the peak, late at most so many seconds: %v", ready.Round(time.Millisecond), memory>>20, late)
}

// manySchedules is the wiring of 10,000 schedules, of which 1,000 are due at a time.
func manySchedules(at time.Time) string {
	var wiring strings.Builder
	wiring.WriteString("log: {level: error}\nhandlers:\n  - {name: note, on: due.now, do: log, with: {message: x}}\nschedules:\n")
	for i := range 9000 {
		fmt.Fprintf(&wiring, "  - {name: rare%d, daily: \"%02d:%02d\", timezone: Europe/Paris, emit: due.rarely}\n", i, (at.Hour()+3+i%12)%24, i%60)
	}
	for i := range 1000 {
		fmt.Fprintf(&wiring, "  - {name: now%d, at: %s, emit: due.now}\n", i, at.Format(time.RFC3339))
	}
	return wiring.String()
}

// metricsOf is what GET /metrics answers on the socket in dir.
func metricsOf(t *testing.T, dir string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", dir+"/evrun.sock")
	}}}
	defer client.CloseIdleConnections()
	res, err := client.Get("http://evrun/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %v", res.Status, err)
	}
	return string(text)
}
