package cmd_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
)

// execFolder is a directory with a wiring file whose handler runs a script, and a pipe, lifeline, that the script and all its processes hold open as
// descriptor 9: the pipe ends when all of them have ended.
func execFolder(t *testing.T, grace, script string) string {
	t.Helper()
	dir := t.TempDir()
	if err := mkfifo(filepath.Join(dir, "lifeline")); err != nil {
		t.Fatal(err)
	}
	wiring := `
server: {grace: ` + grace + `}
handlers:
  - name: work
    on: a.b
    do: exec
    with:
      kill_after: 100ms
      shell: |
        exec 9>lifeline
        ` + script + `
    retry: {backoff: 1ms, max: 1ms}
`
	if err := os.WriteFile(filepath.Join(dir, "evrun.yaml"), []byte(wiring), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// openLifeline waits for the script to begin.
func openLifeline(t *testing.T, dir string) *bufio.Reader {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "lifeline"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return bufio.NewReader(f)
}

func readLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(line, "\n")
}

func serveInBackground(t *testing.T, dir string) *process {
	t.Helper()
	daemon := evrun(t, dir, "serve")
	daemon.line(t, "evrun")
	return daemon
}

// oneRun is the only run of the store in dir.
func oneRun(t *testing.T, dir string) store.Run {
	t.Helper()
	s, err := sqlite.OpenReader(filepath.Join(dir, "evrun.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	runs, err := s.Runs(t.Context(), store.RunQuery{})
	if err != nil || len(runs) != 1 {
		t.Fatalf("%+v, %v", runs, err)
	}
	return runs[0]
}

// stubborn is a script that ignores SIGTERM, with a child that does so too, and another in its own session. It prints its run, its attempt, and the
// ids of the three processes.
const stubborn = `trap '' TERM; (while :; do sleep 1; done) & own=$!; setsid sh -c 'while :; do sleep 1; done' & echo "$EVRUN_RUN_ID $EVRUN_ATTEMPT $$ $own $!" >&9; while :; do sleep 1; done`

// commandDiesWithItsDaemon kills the daemon while a command runs. The command dies with the daemon, and the next start ends the command's other
// processes and makes another attempt of the same run.
func commandDiesWithItsDaemon(t *testing.T) {
	t.Parallel()
	dir := execFolder(t, "100ms", stubborn)
	daemon := serveInBackground(t, dir)
	evrun(t, dir, "emit", "a.b").wait(t)
	id := ""
	var before []string // the processes of the attempt before
	for attempt := 1; attempt <= 3; attempt++ {
		words := strings.Fields(readLine(t, openLifeline(t, dir)))
		if id == "" {
			id = words[0]
		}
		if words[0] != id || !strings.HasPrefix(id, "1-work-") || words[1] != fmt.Sprint(attempt) {
			t.Fatalf("attempt %d is %v, not of run %s", attempt, words, id)
		}
		for _, pid := range before {
			if alive(pid) {
				t.Errorf("attempt %d began, and process %s of the one before is alive", attempt, pid)
			}
		}
		if before = words[2:]; len(before) != 3 {
			t.Fatal(words)
		}
		if err := daemon.cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = daemon.cmd.Wait()
		eventuallyTrue(t, "the command has died with the daemon", func() (bool, string) { return !alive(before[0]), before[0] })
		daemon = serveInBackground(t, dir)
	}
	// The last daemon is stopped; no process of the command remains.
	lifeline := openLifeline(t, dir)
	readLine(t, lifeline)
	daemon.interrupt(t)
	if rest, err := io.ReadAll(lifeline); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
	if run := oneRun(t, dir); run.State != store.Retrying || !strings.Contains(run.Error, "evrun is stopping: it was stopped (signal: killed)") {
		t.Errorf("%+v", run)
	}
}

// TestAStubbornCommandDoesNotFailAStop: it ignores SIGTERM, and is killed after the default kill_after, which begins when the grace
// of the stop is over.
func TestAStubbornCommandDoesNotFailAStop(t *testing.T) {
	storetest.LongOnly(t)
	t.Parallel()
	dir := execFolder(t, "100ms", `trap '' TERM; setsid sh -c 'trap "" TERM; echo ready >&9; while :; do sleep 1; done' & while :; do sleep 1; done`)
	text, err := os.ReadFile(filepath.Join(dir, "evrun.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	wireAt(t, dir, strings.Replace(string(text), "kill_after: 100ms", "umask: \"022\"", 1))
	d := serve(t, dir, nil)
	d.ready(t)
	if out, code := run(t, dir, "emit", "a.b"); code != 0 {
		t.Fatal(out)
	}
	lifeline := openLifeline(t, dir)
	readLine(t, lifeline)
	d.stop(t) // exit 0
	if rest, err := io.ReadAll(lifeline); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestADeployedDaemonGoesOn: a process that a command with leave started outlives the command, a killed daemon, and a stopped one.
func TestADeployedDaemonGoesOn(t *testing.T) {
	t.Parallel()
	dir := execFolder(t, "1h", `setsid sh -c 'echo $$ >&9; exec 9>&-; while :; do sleep 1; done' >/dev/null 2>&1 </dev/null &`)
	text, err := os.ReadFile(filepath.Join(dir, "evrun.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	wireAt(t, dir, strings.Replace(string(text), "kill_after:", "leave: true\n      kill_after:", 1))
	d := serve(t, dir, nil)
	d.ready(t)
	if out, code := run(t, dir, "emit", "a.b"); code != 0 {
		t.Fatal(out)
	}
	pid := readLine(t, openLifeline(t, dir))
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer killProcess(n)
	eventuallyTrue(t, "the run has succeeded", func() (bool, string) {
		r := oneRun(t, dir)
		return r.State == store.Succeeded, fmt.Sprintf("%+v", r)
	})
	d.kill(t)
	if !alive(pid) {
		t.Error("it died with a daemon that was killed")
	}
	d = serve(t, dir, nil)
	d.ready(t)
	if !alive(pid) {
		t.Error("a start has ended it")
	}
	d.stop(t)
	if !alive(pid) {
		t.Error("a stop has ended it")
	}
}

// alive reports whether a process runs. A zombie does not.
func alive(pid string) bool {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// stopWhileACommandRuns sends SIGTERM while the command of dir runs, releases the command once the daemon refuses events, and waits
// until both have ended.
func stopWhileACommandRuns(t *testing.T, dir string) {
	t.Helper()
	daemon := serveInBackground(t, dir)
	evrun(t, dir, "emit", "a.b").wait(t)
	lifeline := openLifeline(t, dir)
	for _, want := range []string{"begun", "made"} {
		if line := readLine(t, lifeline); line != want {
			t.Fatal(line)
		}
	}
	if err := daemon.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until it takes no more: then it is stopping
		if p := evrun(t, dir, "emit", "c.d"); p.cmd.Wait() != nil {
			break
		}
	}
	release, err := os.OpenFile(filepath.Join(dir, "go"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	release.Close()
	if rest, err := io.ReadAll(lifeline); err != nil || string(rest) != "ended\n" {
		t.Errorf("%q, %v", rest, err)
	}
	daemon.wait(t)
}

// TestACommandCanPublishWhileTheDaemonStops sends SIGTERM while a command runs: the command's events are accepted, because its run may still end, and
// all other events are refused.
func TestACommandCanPublishWhileTheDaemonStops(t *testing.T) {
	t.Parallel()
	dir := execFolder(t, "1h", `echo begun >&9; mkfifo go; echo made >&9; read -r line <go; ./evrun emit a.c && echo ended >&9`)
	stopWhileACommandRuns(t, dir)
	s, err := sqlite.OpenReader(filepath.Join(dir, "evrun.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	chain, err := s.Events(t.Context(), store.EventQuery{Chain: 1})
	if err != nil || len(chain) != 2 || chain[1].Type != "a.c" || chain[1].Cause != 1 || chain[1].Hops != 1 {
		t.Errorf("%+v, %v", chain, err)
	}
}

// TestAStopWaitsForACommand sends SIGTERM while a command runs: within the grace period it can end.
func TestAStopWaitsForACommand(t *testing.T) {
	t.Parallel()
	dir := execFolder(t, "1h", `echo begun >&9; mkfifo go; echo made >&9; read -r line <go; echo ended >&9`)
	stopWhileACommandRuns(t, dir)
	if run := oneRun(t, dir); run.State != store.Succeeded || run.Attempt != 1 {
		t.Errorf("%+v", run)
	}
}
