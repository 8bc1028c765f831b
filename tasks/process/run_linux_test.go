package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The tests run as the parent of what their commands leave behind; Reap does not run, so each shows what Run itself does.
func TestMain(m *testing.M) {
	if err := Adopt(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		removeCgroups()
		os.Exit(code)
	}))
}

// testStore is in the marks of the commands here: no other test's are taken for them.
var testStore = fmt.Sprintf("store%d", os.Getpid())

// markOf is the mark of a run.
func markOf(run string) string { return "EVRUN_RUN_ID=" + run + "-" + testStore }

// attempt is a script under way.
type attempt struct {
	dir    string
	lines  *bufio.Reader // what it, and all that it starts, writes to 9; its end is the end of them all
	cancel context.CancelFunc
	done   chan struct{}
	ending *Ending
	err    error
	out    bytes.Buffer
}

// begin runs a script in a new folder, and waits for the line "ready" on 9.
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

// rest waits until none of it is left: what it wrote.
func (a *attempt) rest(t *testing.T) string {
	t.Helper()
	rest, err := io.ReadAll(a.lines)
	if err != nil {
		t.Fatal(err)
	}
	return string(rest)
}

// release lets go a script that reads from release.
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

// TestNothingEscapesACgroup: neither a mark nor a group tells whose process this is.
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
	// One that a killed predecessor left behind.
	a := begin(t, `env -i PATH=/usr/bin:/bin setsid sh -c 'echo ready >&9; exec sleep 1000'`+quiet+` & wait`, Command{Grace: time.Hour, Mark: markOf("1-theirs") + "c"})
	if n, left := EndLeftovers(t.Context(), testStore+"c"); n != 1 || len(left) > 0 {
		t.Errorf("%d, %v", n, left)
	}
	<-a.done
	// Its own are in use, and stay; one that another evrun has removed is done without.
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

// TestAnOrphanMayPutThingsInOrder: its clean-up, which is a process of its own, isn't disturbed.
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
	// When its time is up, all of it ends.
	a := begin(t, `setsid sh -c 'echo ready >&9; exec sleep 1000'`+quiet+` & exec sleep 1000`, Command{Grace: time.Hour, Leave: true})
	a.cancel()
	<-a.done
	a.rest(t)
	noChildren(t)
}

// TestCommandsLeaveEachOtherAlone: what one has started, and has come back to us already, stays when another one ends.
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

// TestEndLeftovers ends what carries the mark of a store, whatever the run, and nothing else.
// TestAnotherUsersVariables: root in a container, without CAP_SYS_PTRACE, finds out whose another user's process is.
func TestAnotherUsersVariables(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT PROVEN HERE, for want of root")
	}
	runtime.LockOSThread() // capabilities are a thread's; this one ends with the test
	mark := markOf("1-another")
	cmd := exec.Command("sleep", "300")
	cmd.Env = []string{mark}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	for !marked(cmd.Process.Pid, mark) { // Start returns while the kernel still makes room for the variables
		runtime.Gosched()
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&head, &caps[0]); err != nil {
		t.Fatal(err)
	}
	for _, c := range []int{unix.CAP_SYS_PTRACE, unix.CAP_SYS_ADMIN, unix.CAP_PERFMON} {
		caps[c/32].Effective &^= 1 << (c % 32)
	}
	if err := unix.Capset(&head, &caps[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid)); !errors.Is(err, os.ErrPermission) {
		t.Errorf("read without capabilities: %v", err)
	}
	if !marked(cmd.Process.Pid, mark) {
		t.Error("the mark was not found")
	}
	if user, err := unix.SetfsuidRetUid(-1); err != nil || user != 0 {
		t.Errorf("the thread's user is %d afterwards, %v", user, err)
	}
}

// TestAProgramThatIsBeingLoaded: a process that has just executed a program shows no variables yet. It is not taken for a stranger.
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

func TestEndLeftovers(t *testing.T) {
	theirs := begin(t, `setsid sh -c 'trap "" TERM; echo ready >&9; while :; do sleep 1; done' & trap '' TERM; wait`,
		Command{Grace: time.Hour, Mark: markOf("7-theirs") + "a"})
	other := begin(t, `setsid sh -c 'echo ready >&9; read -r _ <release; echo released >&9' & wait`,
		Command{Grace: time.Hour, Mark: markOf("7-other") + "b"})
	if n, left := EndLeftovers(t.Context(), testStore+"a"); n < 1 || len(left) > 0 {
		t.Errorf("%d, %v", n, left)
	}
	<-theirs.done // its child was what it waited for
	theirs.rest(t)
	other.release(t)
	if rest := other.rest(t); rest != "released\n" {
		t.Error(rest)
	}
	<-other.done
}

func TestKillAll(t *testing.T) {
	a := begin(t, `trap '' TERM; (trap '' TERM; echo ready >&9; while :; do sleep 1; done) & while :; do sleep 1; done`, Command{Grace: time.Hour})
	KillAll()
	<-a.done
	a.rest(t)
	if a.ending.State.String() != "signal: killed" {
		t.Error(a.ending.State)
	}
}

func TestUmask(t *testing.T) {
	was := unix.Umask(0o022)
	unix.Umask(was)
	var commands sync.WaitGroup
	for _, test := range []struct {
		umask int
		want  string
	}{{0o027, "0027"}, {0o002, "0002"}, {0o777, "0777"}, {Inherited, fmt.Sprintf("%04o", was)}} {
		for range 10 {
			commands.Go(func() {
				var out bytes.Buffer
				e, err := Run(t.Context(), &Command{Path: "/bin/sh", Args: []string{"sh", "-c", "umask"}, Stdout: &out, Stderr: io.Discard, Umask: test.umask,
					Mark: markOf("1-umask"), Grace: time.Hour})
				if got := strings.TrimSpace(out.String()); err != nil || got != test.want {
					t.Errorf("umask %o: %q, %v; want %s %v", test.umask, got, err, test.want, e)
				}
			})
		}
	}
	commands.Wait()
	if now := unix.Umask(was); now != was {
		t.Errorf("the umask is %o, and was %o", now, was)
	}
}

func TestUser(t *testing.T) {
	if os.Geteuid() != 0 {
		if _, err := LookupUser("root"); err == nil {
			t.Error("another user, but not as root")
		}
		t.Skip("NOT PROVEN HERE, for want of root: commands as another user")
	}
	nobody, err := LookupUser("nobody")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"nobody":                      fmt.Sprintf("%d:%d:%s", nobody.UID, nobody.GID, nobody.Home),
		"nobody:root":                 fmt.Sprintf("%d:0:%s", nobody.UID, nobody.Home),
		fmt.Sprintf("%d", nobody.UID): fmt.Sprintf("%d:%d:%s", nobody.UID, nobody.GID, nobody.Home),
		"54321:54322":                 "54321:54322:",
		"54321":                       "the system has no user 54321; name a group, too: 54321:54321",
		"no-such":                     `unknown user "no-such"`,
		"nobody:none":                 `unknown group "none"`,
		"nobody:":                     `unknown group ""`,
		"":                            `unknown user ""`,
	} {
		got := ""
		u, err := LookupUser(text)
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprintf("%d:%d:%s", u.UID, u.GID, u.Home)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	var out bytes.Buffer
	_, err = Run(t.Context(), &Command{Path: "/bin/sh", Args: []string{"sh", "-c", "id -u; id -g; id -G"}, Stdout: &out, Stderr: io.Discard, Umask: Inherited,
		User: &User{UID: 54321, GID: 54322, Groups: []uint32{54323}}, Env: []string{"PATH=" + os.Getenv("PATH")}})
	if got := out.String(); err != nil || got != "54321\n54322\n54322 54323\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// noChildren: all that came back was reaped, so that nothing is left and nothing is a zombie.
func noChildren(t *testing.T) {
	t.Helper()
	// The last one may have ended after it was looked for; and one that is killed closes its files before it has ended.
	for deadline := time.Now().Add(5 * time.Minute); ; <-time.After(time.Millisecond) {
		reap()
		pids := children()
		if len(pids) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("children are left: %v", pids)
		}
	}
}

// reapAll waits for the children that go on.
func reapAll(t *testing.T) {
	t.Helper()
	for _, pid := range children() {
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil && !errors.Is(err, syscall.ECHILD) {
			t.Error(err)
		}
	}
}

func TestInheritedDescriptorsAreNotPassedOn(t *testing.T) {
	fd, err := unix.Dup(2)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	closeOnExec()
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("%d, %v", flags, err)
	}
}

// BenchmarkRun runs a command that leaves nothing behind, while Reap listens: what it costs to make sure of that shows beside
// a bare start.
func BenchmarkRun(b *testing.B) {
	ctx, stop := context.WithCancel(b.Context())
	reaping := make(chan error, 1)
	go func() { reaping <- Reap(ctx) }()
	c := Command{Path: "/bin/true", Args: []string{"true"}, Stdout: io.Discard, Stderr: io.Discard, Umask: Inherited, Mark: markOf("1-bench"), Grace: time.Hour}
	c.Env = []string{c.Mark}
	for b.Loop() {
		if _, err := Run(b.Context(), &c); err != nil {
			b.Fatal(err)
		}
	}
	stop()
	<-reaping
}

// BenchmarkBareStart: with os/exec, and two pipes.
func BenchmarkBareStart(b *testing.B) {
	for b.Loop() {
		cmd := exec.Command("/bin/true")
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		spawning.RLock()
		err := cmd.Run()
		spawning.RUnlock()
		if err != nil {
			b.Fatal(err)
		}
	}
}
