package disk

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// holding starts a process that has the file open, twice, until the test ends.
func holding(t *testing.T, path string) (name string, pid int) {
	t.Helper()
	return waiting(t, exec.Command("sh", "-c", `exec 3<"$1" 4<"$1"; echo open; read line`, "sh", path))
}

// waiting starts a process that says when it is ready, and then reads its input until the test ends.
func waiting(t *testing.T, c *exec.Cmd) (name string, pid int) {
	t.Helper()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = c.Wait() // read fails at the end of its input
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(comm)), c.Process.Pid
}

// The variable that makes this test binary a reader of a database: it locks a read mark of the -shm file that it names.
const lockedFile = "EVRUN_TEST_LOCKED_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(lockedFile); path != "" {
		f, err := os.Open(path)
		if err == nil {
			err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_RDLCK, Start: firstReadMark + 1, Len: 1})
		}
		fmt.Println("locked", err)
		_, _ = os.Stdin.Read(make([]byte, 1))
		return
	}
	os.Exit(m.Run())
}

// A lock on a read mark says more than an open file.
func TestHoldersAreThoseWithAReadMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	for _, suffix := range []string{"", "-shm"} {
		if err := os.WriteFile(path+suffix, make([]byte, 200), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	holding(t, path)
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), lockedFile+"="+path+"-shm")
	name, pid := waiting(t, c)
	if got, want := Holders(path), fmt.Sprintf("process %d (%s)", pid, name); len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHoldersAreTheOtherProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	own, err := os.Create(path) // this process doesn't count
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if got := Holders(path); len(got) != 0 {
		t.Errorf("nobody else: %q", got)
	}
	pids := map[int]string{}
	for range 6 {
		name, pid := holding(t, path)
		pids[pid] = name
	}
	var want []string
	for pid, name := range pids {
		want = append(want, fmt.Sprintf("%08d process %d (%s)", pid, pid, name))
	}
	slices.Sort(want)
	for i := range want {
		want[i] = want[i][9:]
	}
	if got := Holders(path); !slices.Equal(got, want[:5]) {
		t.Errorf("got  %q\nwant %q", got, want[:5])
	}
	if got := Holders(path + "none"); len(got) != 0 {
		t.Errorf("no file: %q", got)
	}
}
