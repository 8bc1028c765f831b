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

// cgroup holds all processes that one command starts, whatever they do to their environment and process group. Commands have
// cgroups (v2) if this process may create them: with Delegate=yes of systemd, or in a container that may write to its own. A nil
// cgroup does nothing. An empty one is kept for the next command.
type cgroup struct {
	dir    string
	fd     *os.File
	events *os.File // its cgroup.events
	killed bool
}

// cgroups has the cgroups that this process created, by their directories, and those of them that are free.
var cgroups = struct {
	sync.Mutex
	own  map[string]bool
	free []*cgroup
	made int
}{own: map[string]bool{}}

// delegated is the directory of the cgroup in which others can be created; empty: none.
var delegated = sync.OnceValue(func() string {
	dir := ownCgroup()
	if dir == "" {
		return ""
	}
	c, err := makeCgroup(filepath.Join(dir, fmt.Sprintf("evrun-probe-%d", os.Getpid())))
	if err != nil {
		return ""
	}
	defer c.close()
	// Start a process without a program: how it fails shows whether the kernel starts processes in the cgroup.
	_, err = syscall.ForkExec(filepath.Join(c.dir, "none"), nil, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(c.fd.Fd())},
	})
	if !errors.Is(err, fs.ErrNotExist) || unix.Access(filepath.Join(c.dir, "cgroup.kill"), unix.W_OK) != nil {
		return ""
	}
	sweepCgroups(dir)
	return dir
})

// sweepCgroups removes the empty cgroups of daemons that no longer run.
func sweepCgroups(dir string) {
	if !procIsOurs() { // then we can't see which daemons still run
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

// ownCgroup returns the directory of this process's cgroup if this process may manage it: systemd marks it as delegated, or there
// is no systemd, as in a container.
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
	events, err := openAgain(filepath.Join(dir, "cgroup.events"))
	if err != nil {
		return nil, errors.Join(err, fd.Close(), os.Remove(dir))
	}
	return &cgroup{dir: dir, fd: fd, events: events}, nil
}

// takeCgroup returns an empty cgroup for the command with this mark, which ends with the store's id.
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
		if errors.Is(err, fs.ErrExist) { // of a killed daemon with our process id
			continue
		}
		if err != nil {
			return nil
		}
		cgroups.own[c.dir] = true
		return c
	}
}

// cgroupPrefix is the beginning of the paths of a store's cgroups.
func cgroupPrefix(storeID string) string {
	return filepath.Join(delegated(), "evrun-"+strings.ReplaceAll(storeID, "/", "")) + "-"
}

// give takes back the cgroup of a command that has ended. One that is not empty stays. A killed one is not used again: Linux 6.18
// also kills what starts in it later.
func (c *cgroup) give() {
	if c == nil {
		return
	}
	cgroups.Lock()
	defer cgroups.Unlock()
	if c.killed || c.populated() {
		c.remove() // fails while a process is in it
		return
	}
	cgroups.free = append(cgroups.free, c)
}

// removeCgroups removes the free cgroups.
func removeCgroups() {
	cgroups.Lock()
	defer cgroups.Unlock()
	for _, c := range cgroups.free {
		c.remove()
	}
	cgroups.free = nil
}

// remove removes c. The caller holds the lock of cgroups.
func (c *cgroup) remove() {
	delete(cgroups.own, c.dir)
	c.close()
}

func (c *cgroup) close() {
	_ = c.fd.Close()
	_ = c.events.Close()
	_ = os.Remove(c.dir)
}

// gone reports whether a command could not start because another process removed c.
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

// hold makes a command start in c.
func (c *cgroup) hold(attr *syscall.SysProcAttr) {
	if c != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(c.fd.Fd())
	}
}

// add does nothing: the command was started in c.
func (*cgroup) add(*os.Process) {}

// populated reports whether c or a cgroup below it has running processes.
func (c *cgroup) populated() bool {
	if c == nil {
		return false
	}
	text, _ := readAgain(c.events)
	return strings.Contains(string(text), "populated 1")
}

// pids returns the processes in c and below.
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

// kill kills all processes in c and below at once.
func (c *cgroup) kill() {
	if c != nil {
		c.killed = true
		killCgroup(c.dir)
	}
}

func killCgroup(dir string) {
	_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
}

// leftCgroups returns the cgroups of a store's commands that another daemon created.
func leftCgroups(storeID string) []string {
	if delegated() == "" {
		return nil
	}
	dirs, _ := filepath.Glob(cgroupPrefix(storeID) + "*")
	cgroups.Lock()
	defer cgroups.Unlock()
	return slices.DeleteFunc(dirs, func(dir string) bool { return cgroups.own[dir] })
}
