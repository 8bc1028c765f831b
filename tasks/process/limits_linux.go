package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"evrun/tasks/process/limit"
)

// Check returns why the limits can't be held for the commands of a user; nil is this process's.
func (l Limits) Check(u *User) error {
	root := u == nil && os.Geteuid() == 0 || u != nil && u.UID == 0
	if l.Processes > 0 && root {
		return errors.New("the system has no limit of processes for root")
	}
	return nil
}

// UsedUp reports whether a command, or the shell that ran it, ended because it had used its time of a processor.
func (l Limits) UsedUp(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	if l.CPU == 0 || !ok {
		return false
	}
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGKILL:
		return state.UserTime()+state.SystemTime() >= l.CPU
	case status.Signaled():
		return status.Signal() == syscall.SIGXCPU
	}
	return status.ExitStatus() == 128+int(syscall.SIGXCPU)
}

// rlimits returns the limits of the kernel. Memory is RLIMIT_DATA, and not RLIMIT_AS: programs in Go, Java and JavaScript reserve many times the
// addresses that they ever use.
func (l Limits) rlimits(grace time.Duration) string {
	var list strings.Builder // as [limit.Name] has it
	add := func(resource int, n, more uint64) {
		if n > 0 {
			fmt.Fprintf(&list, "%d=%d:%d,", resource, n, n+more)
		}
	}
	add(unix.RLIMIT_CPU, uint64(l.CPU/time.Second), max(1, uint64(grace/time.Second)))
	add(unix.RLIMIT_NOFILE, uint64(l.Files), 0)
	add(unix.RLIMIT_NPROC, uint64(l.Processes), 0)
	add(unix.RLIMIT_DATA, uint64(l.Memory), 0)
	return list.String()
}

// itself is this program.
const itself = "/proc/self/exe"

// limited starts the command by way of package limit. It returns when the command's program runs, or with the error of why it does not.
func (c *Command) limited(attr *os.ProcAttr) (*os.Process, error) {
	ours, theirs, err := pipe()
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	attr.Files = append(slices.Clip(attr.Files), theirs) // [limit.Report]
	args := slices.Concat([]string{limit.Name, c.Limits.rlimits(c.Grace), c.Path}, c.Args)
	p, err := start(itself, args, attr, c.Umask)
	_ = theirs.Close()
	if err != nil {
		return nil, err
	}
	var report [4]byte
	if _, err := io.ReadFull(ours, report[:]); err != nil {
		return p, nil // it was closed by the start of the program
	}
	_, _ = release(p, nil)
	return nil, &os.PathError{Op: "exec", Path: c.Path, Err: syscall.Errno(binary.LittleEndian.Uint32(report[:]))}
}
