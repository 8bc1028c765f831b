package cmd_test

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/store/sqlite/sqlitetest"
)

// benchBase names an evrun binary to compare with, such as that of the last release.
const benchBase = "EVRUN_BENCH_BASE"

const linesWiring = `
store: evrun.db
server: {socket: evrun.sock}
handlers:
  - {name: save-user, on: user.registered, do: user.insert, with: {name: "${ data.name }", email: "${ data.email }"}}
`

// BenchmarkLines measures `evrun emit --ndjson` of 200,000 lines to a running daemon whose handler inserts a user for each, until the last user
// is stored: the real binary, two processes, a socket.
//
//	go test -run - -bench Lines -benchtime 1x -count 5 ./cmd
//
// "µs-cpu/event" is user and system time of both processes; it hardly depends on what else the machine does. "of-raw" compares the rate with that of
// bare inserts of the same three rows an event, 1,000 events a transaction, on the same disk and just before. With [benchBase] another evrun does
// the same in between, and "of-base" is the ratio of the CPU times. With [proofProfile] both processes write CPU profiles.
func BenchmarkLines(b *testing.B) {
	const n = 200_000
	file := filepath.Join(b.TempDir(), "events.ndjson")
	writeLines(b, file, n)
	var rate, raw, daemonCPU, emitCPU, baseCPU float64
	for b.Loop() {
		raw += sqlitetest.BareInserts(b, n, 1000)
		m := emitLines(b, "", file, n)
		rate, daemonCPU, emitCPU = rate+m.rate, daemonCPU+m.daemon, emitCPU+m.emit
		if base := os.Getenv(benchBase); base != "" {
			m := emitLines(b, base, file, n)
			baseCPU += m.daemon + m.emit
		}
	}
	rounds := float64(b.N)
	b.ReportMetric(rate/rounds, "events/s")
	b.ReportMetric(raw/rounds, "raw-events/s")
	b.ReportMetric(rate/raw, "of-raw")
	b.ReportMetric(daemonCPU/rounds, "µs-daemon/event")
	b.ReportMetric(emitCPU/rounds, "µs-emit/event")
	b.ReportMetric((daemonCPU+emitCPU)/rounds, "µs-cpu/event")
	if baseCPU > 0 {
		b.ReportMetric(baseCPU/rounds, "µs-base/event")
		b.ReportMetric((daemonCPU+emitCPU)/baseCPU, "of-base")
	}
}

// writeLines writes a file of n events, each a user's registration.
func writeLines(b *testing.B, path string, n int) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		fmt.Fprintf(w, `{"type":"user.registered","source":"/bench","data":{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}}`+"\n", i)
	}
	if err := cmp.Or(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
}

// linesMeasure is what n lines took: events a second, and µs of CPU time an event.
type linesMeasure struct{ rate, daemon, emit float64 }

// emitLines sends the lines of a file to a new daemon and waits for the last user. bin is another evrun; empty: this one.
func emitLines(b *testing.B, bin, file string, n int) linesMeasure {
	b.Helper()
	dir := b.TempDir()
	wireAt(b, dir, linesWiring)
	serving, emitting := cmp.Or(bin, self(b, dir, proofName)), cmp.Or(bin, self(b, dir, "evrun"))
	c := exec.Command(serving, "serve")
	c.Dir = dir
	d := serveWith(b, dir, c)
	d.ready(b)
	began := time.Now()
	emit := exec.Command(emitting, "emit", "--ndjson", file)
	emit.Dir = dir
	if text, err := emit.CombinedOutput(); err != nil || !strings.Contains(string(text), fmt.Sprintf("%d accepted, 0 duplicates, 0 refused", n)) {
		b.Fatalf("%v\n%s", err, text)
	}
	eventuallyTrue(b, "the last user is stored", func() (bool, string) {
		users, _, err := d.client.Users(b.Context(), api.Paging{After: strconv.Itoa(n - 1), Limit: 1})
		return len(users) == 1, fmt.Sprint(err)
	})
	took := time.Since(began)
	d.stop(b)
	cpu := func(c *exec.Cmd) float64 {
		return float64((c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Microseconds()) / float64(n)
	}
	return linesMeasure{rate: float64(n) / took.Seconds(), daemon: cpu(d.cmd), emit: cpu(emit)}
}

// profiled runs a process of the benchmarks. If the environment names a file in proofProfile, its CPU profile is written to it, with the
// process's name and number added.
func profiled(run func() int) {
	name := os.Getenv(proofProfile)
	if name == "" {
		os.Exit(run())
	}
	f, err := os.Create(fmt.Sprintf("%s.%s.%d", name, filepath.Base(os.Args[0]), os.Getpid()))
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		panic(err)
	}
	code := run()
	pprof.StopCPUProfile()
	_ = f.Close()
	os.Exit(code)
}
