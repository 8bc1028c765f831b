package process

import (
	"context"
	"os"
	ossignal "os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// adopted says whether orphans come back to this process: what is left of a command can be found among its children.
var adopted atomic.Bool

// Adopt makes this process the parent of what its commands leave behind. Processes that come back must be reaped: see
// [Reap].
func Adopt() error {
	// Go finds out whether the kernel has pidfds with a child of its own, at the first use: here nobody takes it away.
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Release()
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_CHILD_SUBREAPER", err)
	}
	adopted.Store(true)
	return nil
}

// Hide keeps other processes of this user from reading this one's environment and memory, in which secrets are. It also keeps
// debuggers off, and the kernel from writing a core: both are for root alone from then on.
func Hide() error {
	return os.NewSyscallError("prctl PR_SET_DUMPABLE", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
}

// wake has Reap look once more.
var wake = make(chan struct{}, 1)

// Reap reaps the children that came back to this process, by their numbers, until ctx ends. As the first process of a
// container it reaps everything.
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

// reap reaps what has ended, save commands that Run waits for.
func reap() {
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

// lookAgain is called when Run has reaped a command, before which others may have stood.
func lookAgain() {
	if !procIsOurs() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// endedChild gives a child that has ended, and leaves it as it is; 0: there is none.
func endedChild() int {
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
		return 0
	}
	// siginfo_t: three ints, then a union, aligned as pointers are, that begins with the process's number.
	const word = unsafe.Sizeof(uintptr(0))
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), (12+word-1)/word*word)))
}

// children are this process's, with those that came back: the kernel gives them to the first thread.
func children() []int {
	if !procIsOurs() {
		return nil
	}
	self := strconv.Itoa(os.Getpid())
	text, err := os.ReadFile("/proc/self/task/" + self + "/children")
	if err != nil {
		return childrenByParent()
	}
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
