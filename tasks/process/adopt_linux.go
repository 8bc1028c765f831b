package process

import (
	"context"
	"os"
	ossignal "os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// adopted reports whether this process is a subreaper: the orphans of its commands become its children.
var adopted atomic.Bool

// Adopt makes this process the parent of the processes that its commands leave behind. [Reap] must reap them.
func Adopt() error {
	// At the first use, Go starts a child to see whether the kernel has pidfds. Do it now, before anything reaps that child.
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Release()
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_CHILD_SUBREAPER", err)
	}
	adopted.Store(true)
	return nil
}

// Hide keeps other processes of this user from reading this process's environment and memory, which hold secrets. From then on,
// only root can attach a debugger, and the kernel writes no core file.
func Hide() error {
	return os.NewSyscallError("prctl PR_SET_DUMPABLE", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
}

// wake makes Reap look again.
var wake = make(chan struct{}, 1)

// Reap reaps orphans that became children of this process, by their process ids, until ctx ends. As the first process of a
// container, it reaps everything.
func Reap(ctx context.Context) error {
	ended := make(chan os.Signal, 1)
	ossignal.Notify(ended, unix.SIGCHLD)
	defer ossignal.Stop(ended)
	for {
		reap()
		select {
		case <-ended:
		case <-wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// reap reaps all children that have ended, except commands that Run waits for.
func reap() {
	if pids, ok := listedChildren(); ok && len(pids) == 0 {
		return // commands end often, and orphans are rare: a start need not wait
	}
	spawning.Lock()
	defer spawning.Unlock()
	for {
		pid := endedChild()
		switch {
		case pid == 0:
			return
		case isOwn(pid): // the others are behind it
			for _, pid := range children() {
				if !isOwn(pid) {
					_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
				}
			}
			return
		}
		if _, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err != nil {
			return
		}
	}
}

// lookAgain is called when Run has reaped a command: other ended children may have been hidden behind it.
func lookAgain() {
	if !procIsOurs() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// endedChild returns the process id of a child that has ended, without reaping it; 0: none.
func endedChild() int {
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
		return 0
	}
	// siginfo_t: three ints, then a union, aligned as pointers are, that begins with the process's number.
	const word = unsafe.Sizeof(uintptr(0))
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), (12+word-1)/word*word)))
}

// children returns the children of this process, adopted ones included, but not all commands that Run waits for.
func children() []int {
	if pids, ok := listedChildren(); ok {
		return pids
	}
	if !procIsOurs() {
		return nil
	}
	return childrenByParent()
}

// childList is the kernel's list of the children that the first thread started, and of those that this process adopted: the kernel
// gives these to the first thread. It is nil if the kernel has no such list. It stays open, since each command looks at it.
var childList = sync.OnceValue(func() *os.File {
	if !procIsOurs() {
		return nil
	}
	f, err := openAgain("/proc/self/task/" + strconv.Itoa(os.Getpid()) + "/children")
	if err != nil {
		return nil
	}
	return f
})

func listedChildren() (pids []int, ok bool) {
	f := childList()
	if f == nil {
		return nil, false
	}
	text, err := readAgain(f)
	for field := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, err == nil
}

// openAgain opens a file of the kernel for readAgain. [os.Open] would have the runtime woken at each change of it.
func openAgain(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// readAgain reads an open file of the kernel from its beginning, as it is now.
func readAgain(f *os.File) ([]byte, error) {
	text := make([]byte, 512)
	n, err := unix.Pread(int(f.Fd()), text, 0)
	if err != nil || n < len(text)/2 {
		return text[:max(n, 0)], err
	}
	return os.ReadFile(f.Name()) // the kernel gives a long file in parts
}
