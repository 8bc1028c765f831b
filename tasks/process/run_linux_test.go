package process

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The test process adopts the processes that commands leave behind. Reap does not run, so the tests show only Run's work.
func TestMain(m *testing.M) {
	if err := Adopt(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		removeCgroups()
		os.Exit(code)
	}))
}

// testStore is in the marks of these commands, so that they differ from those of other tests.
var testStore = fmt.Sprintf("store%d", os.Getpid())

// markOf is the mark of a run.
func markOf(run string) string { return "EVRUN_RUN_ID=" + run + "-" + testStore }

// attempt is a running script.
type attempt struct {
	dir    string
	lines  *bufio.Reader // the output of the script and all its processes on descriptor 9; it ends when all of them have ended
	cancel context.CancelFunc
	done   chan struct{}
	ending *Ending
	err    error
	out    bytes.Buffer
}

// begin runs a script in a new directory, and waits for the line "ready" on descriptor 9.
func begin(t *testing.T, script string, c Command) *attempt {
	t.Helper()
	a := &attempt{dir: t.TempDir(), done: make(chan struct{})}
	for _, name := range []string{"lifeline", "ok", "release"} {
		if err := unix.Mkfifo(filepath.Join(a.dir, name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c.Path, c.Args, c.Dir = "/bin/sh", []string{"sh", "-c", "exec 9>lifeline; " + script}, a.dir
	if c.Mark == "" {
		c.Mark = markOf("1-" + strings.ToLower(t.Name()))
	}
	if c.Umask == 0 {
		c.Umask = Inherited
	}
	c.Env, c.Stdout, c.Stderr = []string{"PATH=" + os.Getenv("PATH"), c.Mark}, &a.out, io.Discard
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(t.Context())
	go func() {
		defer close(a.done)
		a.ending, a.err = Run(ctx, &c)
	}()
	opened := make(chan struct{})
	go func() { // a script that has ended opens nothing: let the line below see that
		<-a.done
		if w, err := os.OpenFile(filepath.Join(a.dir, "lifeline"), os.O_RDWR, 0); err == nil {
			<-opened
			w.Close()
		}
	}()
	f, err := os.Open(filepath.Join(a.dir, "lifeline"))
	if err != nil {
		t.Fatal(err)
	}
	close(opened)
	t.Cleanup(func() {
		f.Close()
		a.cancel()
		<-a.done
	})
	a.lines = bufio.NewReader(f)
	if line := a.line(t); line != "ready" {
		t.Fatal(line)
	}
	return a
}

func (a *attempt) line(t *testing.T) string {
	t.Helper()
	line, err := a.lines.ReadString('\n')
	if err != nil {
		<-a.done
		t.Fatalf("%v: %v, %v", err, a.ending, a.err)
	}
	return strings.TrimSuffix(line, "\n")
}

// rest waits until no process is left, and returns their output.
func (a *attempt) rest(t *testing.T) string {
	t.Helper()
	rest, err := io.ReadAll(a.lines)
	if err != nil {
		t.Fatal(err)
	}
	return string(rest)
}

// release lets a script continue that reads from the file release.
func (a *attempt) release(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(a.dir, "release"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

const quiet = " >/dev/null 2>&1 </dev/null"

// leavers are scripts that end by themselves, and leave a process behind that does what %s says.
var leavers = map[string]string{
	"in its group":         `sh -c '%s; echo ready >&9; echo >ok; while :; do sleep 1; done'` + quiet + ` & read -r _ <ok; echo hello`,
	"in a session":         `setsid sh -c '%s; echo ready >&9; echo >ok; while :; do sleep 1; done'` + quiet + ` & read -r _ <ok; echo hello`,
	"with the output open": `setsid sh -c '%s; echo ready >&9; echo >ok; while :; do sleep 1; done' & read -r _ <ok; echo hello`,
	"as daemons do":        `(setsid sh -c '(%s; echo ready >&9; echo >ok; while :; do sleep 1; done)'` + quiet + ` &) & read -r _ <ok; echo hello`,
	"below another":        `setsid sh -c 'setsid sh -c "%s; echo ready >&9; echo >ok; while :; do sleep 1; done"'` + quiet + ` & read -r _ <ok; echo hello`,
	"without its mark":     `setsid sh -c 'env -i PATH=/usr/bin:/bin sh -c "%s; echo ready >&9; echo >ok; while :; do sleep 1; done" & wait'` + quiet + ` & read -r _ <ok; echo hello`,
}

func TestWhatACommandLeavesBehindEndsWithIt(t *testing.T) {
	for name, script := range leavers {
		t.Run(name, func(t *testing.T) {
			a := begin(t, fmt.Sprintf(script, ":"), Command{Grace: time.Hour})
			<-a.done
			if a.err != nil || a.out.String() != "hello\n" || a.ending.Stopped || len(a.ending.Left) > 0 {
				t.Errorf("%q, %+v, %v", &a.out, a.ending, a.err)
			}
			if rest := a.rest(t); rest != "" {
				t.Error(rest)
			}
			noChildren(t)
		})
	}
}

// TestNothingEscapesACgroup: a process without the mark and outside the group is ended, too.
func TestNothingEscapesACgroup(t *testing.T) {
	if delegated() == "" {
		t.Skip("NOT PROVEN HERE, for want of a cgroup to make others in")
	}
	for _, ignore := range []string{"", `trap "" TERM; `} {
		a := begin(t, `(env -i PATH=/usr/bin:/bin setsid sh -c '`+ignore+`echo ready >&9; echo >ok; while :; do sleep 1; done'`+quiet+` &) & read -r _ <ok`,
			Command{Grace: 50 * time.Millisecond})
		<-a.done
		a.rest(t)
		noChildren(t)
	}
	// A cgroup that a killed predecessor left behind.
	a := begin(t, `env -i PATH=/usr/bin:/bin setsid sh -c 'echo ready >&9; exec sleep 1000'`+quiet+` & wait`, Command{Grace: time.Hour, Mark: markOf("1-theirs") + "c"})
	if n, left := EndLeftovers(t.Context(), testStore+"c"); n != 1 || len(left) > 0 {
		t.Errorf("%d, %v", n, left)
	}
	<-a.done
	// Its own cgroups are in use and stay; a command also runs if another evrun has removed its cgroup.
	a = begin(t, `echo ready >&9`, Command{Grace: time.Hour})
	<-a.done
	if n, left := EndLeftovers(t.Context(), testStore); n > 0 || len(left) > 0 {
		t.Errorf("%d, %v", n, left)
	}
	cgroups.Lock()
	for _, c := range cgroups.free {
		if err := os.Remove(c.dir); err != nil {
			t.Error(err)
		}
	}
	cgroups.Unlock()
	a = begin(t, `echo ready >&9`, Command{Grace: time.Hour})
	if <-a.done; a.err != nil {
		t.Error(a.err)
	}
	removeCgroups()
	if dirs, _ := filepath.Glob(cgroupPrefix(testStore) + "*"); len(dirs) > 0 {
		t.Error(dirs)
	}
}

func TestWhatIgnoresSIGTERMIsKilled(t *testing.T) {
	for name, script := range leavers {
		t.Run(name, func(t *testing.T) {
			a := begin(t, fmt.Sprintf(script, `trap "" TERM`), Command{Grace: 50 * time.Millisecond})
			<-a.done
			if a.err != nil || len(a.ending.Left) > 0 {
				t.Errorf("%+v, %v", a.ending, a.err)
			}
			a.rest(t)
			noChildren(t)
		})
	}
}

// TestAnOrphanMayPutThingsInOrder: its clean-up, a separate process, isn't disturbed.
func TestAnOrphanMayPutThingsInOrder(t *testing.T) {
	script := `setsid sh -c 'trap "sleep 0.2 && echo in order >&9; exit" TERM; echo ready >&9; echo >ok; while :; do sleep 0.01; done'` + quiet + ` & read -r _ <ok`
	a := begin(t, script, Command{Grace: time.Hour})
	<-a.done
	if rest := a.rest(t); rest != "in order\n" {
		t.Errorf("it left %q", rest)
	}
}

// TestAStopReachesWhatLeftTheGroup: while its parent goes on, nothing comes back to us.
func TestAStopReachesWhatLeftTheGroup(t *testing.T) {
	a := begin(t, `setsid sh -c 'trap "echo bye >&9; echo >gone; exit" TERM; echo ready >&9; while :; do sleep 0.01; done' & trap '' TERM; while [ ! -e gone ]; do sleep 0.01; done`,
		Command{Grace: time.Hour})
	a.cancel()
	<-a.done
	if rest := a.rest(t); rest != "bye\n" || !a.ending.Stopped {
		t.Errorf("it left %q: %+v", rest, a.ending)
	}
	noChildren(t)
}

func TestWhatIsLeftOnPurposeGoesOn(t *testing.T) {
	for name, script := range map[string]string{
		"in its group": `(read -r _ <release; echo released >&9)` + quiet + ` & echo ready >&9`,
		"in a session": `setsid sh -c 'echo ready >&9; echo >ok; read -r _ <release; echo released >&9'` + quiet + ` & read -r _ <ok`,
	} {
		t.Run(name, func(t *testing.T) {
			a := begin(t, script, Command{Grace: time.Hour, Leave: true})
			<-a.done
			if n, left := EndLeftovers(t.Context(), testStore); n > 0 || len(left) > 0 {
				t.Errorf("a start ended %d of it, and not %v", n, left)
			}
			a.release(t)
			if rest := a.rest(t); rest != "released\n" {
				t.Errorf("it wrote %q", rest)
			}
			reapAll(t)
		})
	}
	// When its time is up, all its processes end.
	a := begin(t, `setsid sh -c 'echo ready >&9; exec sleep 1000'`+quiet+` & exec sleep 1000`, Command{Grace: time.Hour, Leave: true})
	a.cancel()
	<-a.done
	a.rest(t)
	noChildren(t)
}

// TestCommandsLeaveEachOtherAlone: adopted processes of one command stay when another command ends.
func TestCommandsLeaveEachOtherAlone(t *testing.T) {
	first := begin(t, `(setsid sh -c 'echo ready >&9; read -r _ <release; echo released >&9'`+quiet+` &); read -r _ <ok`,
		Command{Grace: time.Hour, Mark: markOf("1-first")})
	var others sync.WaitGroup
	for i := range 10 {
		others.Go(func() {
			a := begin(t, fmt.Sprintf(leavers["in a session"], ":"), Command{Grace: time.Hour, Mark: markOf(fmt.Sprintf("%d-other", 2+i))})
			<-a.done
			a.rest(t)
		})
	}
	others.Wait()
	first.release(t)
	if line := first.line(t); line != "released" {
		t.Error(line)
	}
	f, err := os.OpenFile(filepath.Join(first.dir, "ok"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	<-first.done
	first.rest(t)
	noChildren(t)
}

// TestNoExitCodeIsStolen reaps as fast as it can while commands end.
func TestNoExitCodeIsStolen(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	reaping := make(chan error, 1)
	go func() { reaping <- Reap(ctx) }()
	more := make(chan struct{})
	var eager, commands sync.WaitGroup
	eager.Go(func() {
		for {
			select {
			case <-more:
				return
			default:
				reap()
			}
		}
	})
	for i := range 4 {
		commands.Go(func() {
			for j := range 25 {
				code := (i*25 + j) % 100
				c := &Command{Path: "/bin/sh", Args: []string{"sh", "-c", fmt.Sprintf("sleep 5 & exit %d", code)}, Umask: Inherited, Grace: time.Hour,
					Stdout: io.Discard, Stderr: io.Discard, Mark: markOf(fmt.Sprintf("%d-%d", i, j))}
				c.Env = []string{"PATH=" + os.Getenv("PATH"), c.Mark}
				c.Args[2] = fmt.Sprintf("sleep 5 >/dev/null 2>&1 & exit %d", code)
				if e, err := Run(t.Context(), c); err != nil || e.State.ExitCode() != code {
					t.Errorf("%v, %v; want exit code %d", e, err, code)
				}
			}
		})
	}
	commands.Wait()
	close(more)
	eager.Wait()
	stop()
	if err := <-reaping; err != nil {
		t.Error(err)
	}
	noChildren(t)
}

// TestAProgramThatIsBeingLoaded: a process that has just executed a program shows no variables yet. It still counts as the command's.
func TestAProgramThatIsBeingLoaded(t *testing.T) {
	mark := markOf("1-loading")
	for range 300 {
		cmd := exec.Command("/bin/sleep", "300")
		cmd.Env = []string{mark}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if m, ok := status(cmd.Process.Pid); !ok || !m.loading && !marked(cmd.Process.Pid, mark) {
			t.Errorf("neither loading nor marked: %+v", m)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}
