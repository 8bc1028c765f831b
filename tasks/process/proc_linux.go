package process

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// procIsOurs reports whether /proc exists and belongs to this process's pid namespace. Otherwise its numbers mean other processes.
var procIsOurs = sync.OnceValue(func() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
})

// processes returns all processes.
func processes() []member {
	if !procIsOurs() {
		return nil
	}
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var all []member
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if m, ok := status(pid); ok {
				all = append(all, m)
			}
		}
	}
	return all
}

// status reads a process's state, parent and group; ok is false when there is no such process.
func status(pid int) (m member, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, after, found := strings.Cut(string(text[max(0, bytes.LastIndexByte(text, ')')):]), ") ")
	fields := strings.Fields(after)
	if err != nil || !found || len(fields) < 20 {
		return m, false
	}
	const exiting = 0x4 // PF_EXITING
	flags, _ := strconv.ParseUint(fields[6], 10, 64)
	m = member{pid: pid, zombie: fields[0] == "Z" || fields[0] == "X", ending: flags&exiting != 0, started: fields[19]}
	m.loading = len(fields) > 23 && fields[23] == "0" // the address of its code, which the kernel writes down last
	m.parent, _ = strconv.Atoi(fields[1])
	m.group, _ = strconv.Atoi(fields[2])
	return m, true
}

// loadingShows reports whether the system shows that a program is being loaded. gVisor shows it for all processes, this one
// included.
var loadingShows = sync.OnceValue(func() bool {
	self, ok := status(os.Getpid())
	return ok && !self.loading
})

// variables returns the environment that a process was started with; nil if it can't be read.
func variables(pid int) [][]byte {
	dir := "/proc/" + strconv.Itoa(pid)
	text, err := os.ReadFile(dir + "/environ")
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0 {
		text = readAsOwner(dir, dir+"/environ")
	}
	return bytes.Split(text, []byte{0})
}

// readAsOwner reads a file as the user who owns dir. Root in a container has no CAP_SYS_PTRACE, and may not read the
// variables of another user's process (with: {user}), which that user may. The change of user is limited to this thread.
func readAsOwner(dir, path string) (text []byte) {
	var owner unix.Stat_t
	if unix.Stat(dir, &owner) != nil || owner.Uid == 0 {
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	uid, gid := unix.Geteuid(), unix.Getegid()
	_ = unix.Setfsgid(int(owner.Gid))
	_ = unix.Setfsuid(int(owner.Uid))
	text, _ = os.ReadFile(path)
	_ = unix.Setfsuid(uid)
	_ = unix.Setfsgid(gid)
	return text
}

// marked reports whether a process was started with the variable mark; false for an empty mark.
func marked(pid int, mark string) bool {
	return mark != "" && slices.ContainsFunc(variables(pid), func(v []byte) bool { return string(v) == mark })
}

// childrenByParent finds children on kernels that don't list the children of a thread.
func childrenByParent() []int {
	var pids []int
	for _, m := range processes() {
		if m.parent == os.Getpid() {
			pids = append(pids, m.pid)
		}
	}
	return pids
}

// leftAny reports whether a process of the command still runs. When the leader has ended, all of them descend from an orphan that
// became our child: without one, nothing else is examined.
func (f *family) leftAny() bool {
	if !adopted.Load() {
		return false
	}
	if f.cgroup.populated() {
		return true
	}
	if !slices.ContainsFunc(children(), f.mayHave) {
		return false
	}
	// A command that is just starting is a child, too, and not yet known as one.
	spawning.Lock()
	defer spawning.Unlock()
	return slices.ContainsFunc(children(), f.mayHave)
}

// mayHave reports whether a child of this process is, or may be the parent of, a running process of the command.
func (f *family) mayHave(pid int) bool {
	if isOwn(pid) {
		return false
	}
	m, ok := status(pid)
	// A process that is ending no longer shows its variables, and its children are not ours yet. One that is just executing
	// another program does not show them yet.
	return ok && !m.zombie && (m.ending || m.loading && loadingShows() || f.has(m))
}

// members returns the running processes of the command, except its leader: those of its group, those with its mark, those in its
// cgroup, and their descendants.
func (f *family) members() []member {
	in := f.cgroup.pids()
	if !procIsOurs() { // only the cgroup shows them
		var list []member
		for pid := range in {
			if !isOwn(pid) {
				list = append(list, member{pid: pid})
			}
		}
		return list
	}
	return familyOf(func(m member) bool { return in[m.pid] || f.has(m) })
}

func (f *family) has(m member) bool {
	return m.group == f.group || f.wasAsked(m) || marked(m.pid, f.mark)
}

// familyOf returns the processes for which belongs is true, with their descendants, but without this process, its ancestors, and
// the commands that it waits for.
func familyOf(belongs func(member) bool) []member {
	all := processes()
	parent := make(map[int]int, len(all))
	for _, m := range all {
		parent[m.pid] = m.parent
	}
	in := map[int]bool{}
	for pid := os.Getpid(); pid != 0; pid = parent[pid] {
		in[pid] = false
	}
	var of func(m member) bool
	byPID := make(map[int]member, len(all))
	for _, m := range all {
		byPID[m.pid] = m
	}
	of = func(m member) bool {
		is, known := in[m.pid]
		if !known {
			up, exists := byPID[m.parent]
			is = belongs(m) || exists && of(up)
			in[m.pid] = is
		}
		return is
	}
	return slices.DeleteFunc(all, func(m member) bool { return !of(m) || m.zombie || isOwn(m.pid) })
}

// signal signals processes, by pidfd where the kernel has them: a process id could be reused in between.
func signal(members []member, s syscall.Signal) {
	for _, m := range members {
		p, err := os.FindProcess(m.pid)
		if err != nil {
			continue
		}
		if now, ok := status(m.pid); m.started == "" || ok && now.started == m.started {
			_ = p.Signal(s) // it has ended, or now belongs to another user
		}
		_ = p.Release()
	}
}

// How long the processes that a killed daemon left behind have between SIGTERM and SIGKILL.
const leftoverGrace = 2 * time.Second

// EndLeftovers ends the processes that the commands of a killed daemon left behind, on the store with this id. The caller must
// hold the store, so that no other daemon runs commands for it. It returns the number of processes and those that could not be ended.
func EndLeftovers(ctx context.Context, storeID string) (ended int, left []int) {
	if storeID == "" {
		return 0, nil
	}
	suffix := []byte("-" + storeID)
	dirs := leftCgroups(storeID)
	leftovers := func() []member {
		in := map[int]bool{}
		for _, dir := range dirs {
			addPIDs(dir, in)
		}
		return familyOf(func(m member) bool {
			if in[m.pid] {
				return true
			}
			vars := variables(m.pid)
			return slices.ContainsFunc(vars, func(v []byte) bool {
				return bytes.HasPrefix(v, []byte("EVRUN_RUN_ID=")) && bytes.HasSuffix(v, suffix)
			}) && !slices.ContainsFunc(vars, func(v []byte) bool { return string(v) == leaveMark })
		})
	}
	seen := map[int]bool{}
	began := time.Now()
	for pause := time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 50*time.Millisecond) {
		members := leftovers()
		if len(members) == 0 {
			for _, dir := range dirs {
				_ = os.Remove(dir)
			}
			return len(seen), nil
		}
		switch took := time.Since(began); {
		case took > leftoverGrace+giveUpAfter:
			for _, m := range members {
				left = append(left, m.pid)
			}
			return len(seen), left
		case took > leftoverGrace:
			signal(members, syscall.SIGKILL)
			for _, dir := range dirs {
				killCgroup(dir)
			}
		default:
			signal(slices.DeleteFunc(slices.Clone(members), func(m member) bool { return seen[m.pid] }), syscall.SIGTERM)
		}
		for _, m := range members {
			seen[m.pid] = true
		}
		wait(pause, ctx.Done())
	}
	return len(seen), nil
}
