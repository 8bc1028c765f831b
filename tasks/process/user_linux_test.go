package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
