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
)

// holding starts a process that has the file open, twice, until the test ends.
func holding(t *testing.T, path string) (name string, pid int) {
	t.Helper()
	c := exec.Command("sh", "-c", `exec 3<"$1" 4<"$1"; echo open; read line`, "sh", path)
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
