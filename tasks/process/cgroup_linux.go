package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// cgroup holds all that one command starts, whatever it does to its environment and its group. There is one where this process
// has been given a cgroup (v2) to make others in, as systemd does with Delegate=yes, and a container that may write to its own.
// nil: there is none. They are kept for the next command.
type cgroup struct {
	dir    string
	fd     *os.File
	killed bool
}

// cgroups are those that this process has made, by their folders, and of these the ones that no command is in.
var cgroups = struct {
	sync.Mutex
	own  map[string]bool
	free []*cgroup
	made int
}{own: map[string]bool{}}

// delegated is the folder of the cgroup in which others can be made; empty: there is none.
var delegated = sync.OnceValue(func() string {
	dir := ownCgroup()
	if dir == "" {
		return ""
	}
	c, err := makeCgroup(filepath.Join(dir, fmt.Sprintf("evrun-probe-%d", os.Getpid())))
	if err != nil {
		return ""
	}
	defer func() {
		_ = c.fd.Close()
		_ = os.Remove(c.dir)
	}()
	// Whether the kernel starts processes in it shows in how one fails that has no program.
	_, err = syscall.ForkExec(filepath.Join(c.dir, "none"), nil, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(c.fd.Fd())},
	})
	if !errors.Is(err, fs.ErrNotExist) || unix.Access(filepath.Join(c.dir, "cgroup.kill"), unix.W_OK) != nil {
		return ""
	}
	sweepCgroups(dir)
	return dir
})

// sweepCgroups removes those that are empty, of processes that are gone.
func sweepCgroups(dir string) {
	if !procIsOurs() { // then who is gone can't be told
		return
	}
	dirs, _ := filepath.Glob(filepath.Join(dir, "evrun-*-*-*"))
	for _, d := range dirs {
		words := strings.Split(d, "-")
		pid, err := strconv.Atoi(words[len(words)-2])
		if _, lives := status(pid); err == nil && !lives {
			_ = os.Remove(d)
		}
	}
}

// ownCgroup is the folder of this process's cgroup, if that is its own to manage: the manager says so in an attribute, or
// there is none, as in a container.
func ownCgroup() string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	path := ""
	for line := range strings.Lines(string(text)) {
		if p, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			path = p
		}
	}
	for line := range strings.Lines(string(mounts)) {
		place, what, _ := strings.Cut(line, " - ")
		fields := strings.Fields(place)
		if len(fields) < 5 || !strings.HasPrefix(what, "cgroup2 ") || path == "" {
			continue
		}
		below, err := filepath.Rel(fields[3], path)
		if err != nil || below == ".." || strings.HasPrefix(below, "../") {
			continue
		}
		dir := filepath.Join(fields[4], below)
		for _, attribute := range []string{"user.delegate", "trusted.delegate"} {
			value := make([]byte, 1)
			if n, err := unix.Getxattr(dir, attribute, value); err == nil && n == 1 && value[0] == '1' {
				return dir
			}
		}
		if path == "/" {
			return dir
		}
	}
	return ""
}

func makeCgroup(dir string) (*cgroup, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	fd, err := os.Open(dir)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &cgroup{dir: dir, fd: fd}, nil
}

// takeCgroup gives an empty cgroup for a command with this mark, whose end names the store.
func takeCgroup(mark string) *cgroup {
	if !adopted.Load() || delegated() == "" {
		return nil
	}
	cgroups.Lock()
	defer cgroups.Unlock()
	prefix := cgroupPrefix(mark[strings.LastIndexByte(mark, '-')+1:])
	for i, c := range cgroups.free {
		if strings.HasPrefix(c.dir, prefix) {
			cgroups.free = slices.Delete(cgroups.free, i, i+1)
			return c
		}
	}
	for {
		cgroups.made++
		c, err := makeCgroup(prefix + strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(cgroups.made))
		if errors.Is(err, fs.ErrExist) { // of a killed predecessor with our number
			continue
		}
		if err != nil {
			return nil
		}
		cgroups.own[c.dir] = true
		return c
	}
}

// cgroupPrefix is how the paths begin of the cgroups that are a store's.
func cgroupPrefix(storeID string) string {
	return filepath.Join(delegated(), "evrun-"+strings.ReplaceAll(storeID, "/", "")) + "-"
}

// give takes back a cgroup whose command has ended. One that is not empty is left as it is. One that was killed is not used
// again: Linux 6.18 kills what starts in it later, too.
func (c *cgroup) give() {
	if c == nil {
		return
	}
	cgroups.Lock()
	defer cgroups.Unlock()
	if c.killed || c.populated() {
		c.remove() // it stays while something is in it
		return
	}
	cgroups.free = append(cgroups.free, c)
}

// removeCgroups removes those that no command is in.
func removeCgroups() {
	cgroups.Lock()
	defer cgroups.Unlock()
	for _, c := range cgroups.free {
		c.remove()
	}
	cgroups.free = nil
}

// remove removes c. cgroups is locked.
func (c *cgroup) remove() {
	delete(cgroups.own, c.dir)
	_ = c.fd.Close()
	_ = os.Remove(c.dir)
}

// gone says whether a command did not start since somebody has removed c.
func (c *cgroup) gone(err error) bool {
	if c == nil || err == nil {
		return false
	}
	if _, err := os.Stat(c.dir); err == nil {
		return false
	}
	c.killed = true // it is not used again
	return true
}

// hold has a command start in c.
func (c *cgroup) hold(attr *syscall.SysProcAttr) {
	if c != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(c.fd.Fd())
	}
}

// populated says whether something in c, or below, goes on.
func (c *cgroup) populated() bool {
	if c == nil {
		return false
	}
	text, _ := os.ReadFile(filepath.Join(c.dir, "cgroup.events"))
	return strings.Contains(string(text), "populated 1")
}

// pids are the processes in c and below.
func (c *cgroup) pids() map[int]bool {
	in := map[int]bool{}
	if c != nil {
		addPIDs(c.dir, in)
	}
	return in
}

func addPIDs(dir string, in map[int]bool) {
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "cgroup.procs" {
			return nil //nolint:nilerr // it may be gone
		}
		text, _ := os.ReadFile(path)
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				in[pid] = true
			}
		}
		return nil
	})
}

// kill kills all that is in c and below, at once.
func (c *cgroup) kill() {
	if c != nil {
		c.killed = true
		killCgroup(c.dir)
	}
}

func killCgroup(dir string) {
	_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
}

// leftCgroups are those of a store's commands that another process has made.
func leftCgroups(storeID string) []string {
	if delegated() == "" {
		return nil
	}
	dirs, _ := filepath.Glob(cgroupPrefix(storeID) + "*")
	cgroups.Lock()
	defer cgroups.Unlock()
	return slices.DeleteFunc(dirs, func(dir string) bool { return cgroups.own[dir] })
}
