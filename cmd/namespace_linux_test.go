package cmd_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
)

// isolated is for a process that is the first one of its own PID namespace, and can mount file systems.
func isolated() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// ownProc begins a script that runs isolated: its mounts stay in its namespace.
const ownProc = "mount --make-rprivate / && mount -t proc proc /proc && exec "

// needNamespaces skips the test where there are none.
func needNamespaces(t *testing.T) {
	t.Helper()
	c := exec.Command("sh", "-c", ownProc+"true")
	c.SysProcAttr = isolated()
	if out, err := c.CombinedOutput(); err != nil {
		unable(t, "namespaces", fmt.Errorf("%w: %s", err, out))
	}
}

// childrenOf are the processes whose parent is pid, with their states.
func childrenOf(t *testing.T, pid int) (all []string) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stats {
		text, _ := os.ReadFile(name) // it may be gone
		_, after, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == fmt.Sprint(pid) {
			all = append(all, string(text[:min(len(text), 40)]))
		}
	}
	return all
}

// TestTheFirstProcessReaps runs the daemon as PID 1: 100 commands that leave a process behind, in their group and out of it, leave no process, and
// orphans of other processes are reaped, too.
func TestTheFirstProcessReaps(t *testing.T) {
	t.Parallel()
	needNamespaces(t)
	for name, setup := range map[string]string{"with its own /proc": ownProc, "without": "exec "} {
		t.Run(name, func(t *testing.T) {
			dir := wired(t, `
handlers:
  - name: quick
    on: a.quick
    do: exec
    with: {shell: "sleep 5 & setsid sleep 1000 >/dev/null 2>&1 & echo quick", kill_after: 10s}
    concurrency: 50
`)
			// The program that the system runs as PID 1 may have children before it becomes evrun.
			c := exec.Command("sh", "-c", "(sleep 0.1 &); sleep 0.1 & "+setup+self(t, dir, proofName)+" serve")
			c.Dir, c.SysProcAttr = dir, isolated()
			d := serveWith(t, dir, c)
			d.ready(t)
			for i := range 100 {
				if _, err := d.client.Emit(t.Context(), &events.Event{Type: "a.quick", ID: fmt.Sprint(i), Source: "/test"}); err != nil {
					t.Fatal(err)
				}
			}
			s, err := sqlite.OpenReader(filepath.Join(dir, "evrun.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			eventuallyTrue(t, "all runs have succeeded", func() (bool, string) {
				runs, err := s.Runs(t.Context(), store.RunQuery{State: store.Succeeded, Limit: 200})
				return len(runs) == 100, fmt.Sprint(len(runs), err)
			})
			eventuallyTrue(t, "the daemon has no children left", func() (bool, string) {
				left := childrenOf(t, d.cmd.Process.Pid)
				if setup != ownProc { // setsid can't be found without a /proc: it ends with the namespace
					left = strings.Fields(strings.Join(zombies(left), " "))
				}
				return len(left) == 0, strings.Join(left, "\n")
			})
			if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code := d.code(t); code != 0 {
				t.Errorf("exit %d", code)
			}
		})
	}
}

func zombies(processes []string) (list []string) {
	for _, p := range processes {
		if strings.Contains(p, ") Z ") {
			list = append(list, p)
		}
	}
	return list
}

// TestInAContainer runs the example where only the binary exists: no /proc, no /dev, no /tmp, no zones.
func TestInAContainer(t *testing.T) {
	storetest.LongOnly(t)
	t.Parallel()
	needNamespaces(t)
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "evrun"), "evrun")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "evrun.yaml"), exampleFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	inside := func(args ...string) *exec.Cmd {
		c := exec.Command("/evrun", args...)
		c.Dir, c.Env, c.SysProcAttr = "/", []string{}, isolated()
		c.SysProcAttr.Chroot = dir
		c.Stdin = strings.NewReader("") // there is no /dev/null
		return c
	}
	if out, err := inside("validate").CombinedOutput(); err != nil {
		t.Fatalf("evrun validate: %v: %s", err, out)
	}
	c := inside("serve")
	c.Stdout = io.Discard
	d := serveWith(t, dir, c)
	d.ready(t)
	s, err := sqlite.OpenReader(filepath.Join(dir, "evrun.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	eventuallyTrue(t, "the schedule has signed somebody up", func() (bool, string) {
		n, err := s.CountUsers(t.Context())
		return n > 0, fmt.Sprint(n, err)
	})
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := d.code(t); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// unprivileged returns a command that runs evrun as a user other than root, in its own directory.
func unprivileged(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		return exec.Command(self(t, dir, proofName), "serve")
	}
	const nobody = 65534
	bin, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, proofName) // the test binary's directory is root's
	if out, err := exec.Command("cp", bin, own).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command("chown", "-R", fmt.Sprint(nobody), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(own, "serve")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return c
}

// TestACommandCannotReadTheDaemonsEnvironment: a process of the same user finds neither its secrets nor its memory in /proc.
func TestACommandCannotReadTheDaemonsEnvironment(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
handlers:
  - {name: own, on: a.own, do: exec, with: {shell: "tr '\\0' '\\n' </proc/self/environ"}, emit: own.done}
  - {name: spy, on: a.spy, do: exec, with: {shell: "cat /proc/$PPID/environ /proc/$PPID/maps"}, retry: {attempts: 1}}
`)
	c := unprivileged(t, dir)
	c.Dir, c.Env = dir, append(os.Environ(), "EVRUN_TEST_TOKEN=s3cret-token")
	d := serveWith(t, dir, c)
	d.ready(t)
	for typ, want := range map[string]string{"a.own": "succeeded", "a.spy": "dead"} {
		out, _ := run(t, dir, "emit", typ, "--wait", "-o", "json")
		if !strings.Contains(out, `"state":"`+want+`"`) || strings.Contains(out, "s3cret") {
			t.Errorf("%s: %s", typ, out)
		}
		if typ == "a.spy" && (!strings.Contains(out, "environ: Permission denied") || !strings.Contains(out, "maps: Permission denied")) {
			t.Errorf("%s: %s", typ, out)
		}
	}
	d.stop(t)
}

// TestACommandRunsAsAnotherUser.
func TestACommandRunsAsAnotherUser(t *testing.T) {
	t.Parallel()
	wiring := `
handlers:
  - name: whoami
    on: a.b
    do: exec
    with: {shell: "id -u; id -g; id -G; echo $HOME", dir: /, user: "%s"}
    emit: who.am.i
`
	dir := wired(t, fmt.Sprintf(wiring, "nobody:12345"))
	if os.Geteuid() != 0 {
		if out, code := run(t, dir, "validate"); code != 78 || !strings.Contains(out, "only root can run commands as another user") {
			t.Errorf("exit %d: %s", code, out)
		}
		unable(t, "root", errors.New("commands as another user"))
	}
	d := serve(t, dir, nil)
	d.ready(t)
	out, code := run(t, dir, "emit", "a.b", "--wait", "-o", "json")
	if code != 0 || !strings.Contains(out, `"data":"65534\n12345\n12345 65534\n/nonexistent"`) {
		t.Errorf("exit %d: %s", code, out)
	}
	d.stop(t)
	wireAt(t, dir, fmt.Sprintf(wiring, "no-such-user"))
	if out, code := run(t, dir, "validate"); code != 78 || !strings.Contains(out, `evrun.yaml:6:`) || !strings.Contains(out, `unknown user "no-such-user"`) {
		t.Errorf("exit %d: %s", code, out)
	}
}
