package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipe makes a pipe to read from here, and the end that a command writes to. [os.Pipe] does the same with twice as many system calls: it
// prepares both ends for the runtime's poller.
func pipe() (ours, theirs *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	_, _ = unix.FcntlInt(uintptr(fds[0]), unix.F_SETFL, unix.O_NONBLOCK)
	return os.NewFile(uintptr(fds[0]), "|0"), os.NewFile(uintptr(fds[1]), "|1"), nil
}

// input makes the input of a command. What fits into the pipe is written before the command starts; the rest is in l.rest, to be
// written to l.in.
func (l *launched) input(text []byte) (theirs *os.File, err error) {
	if len(text) == 0 {
		return os.Open(os.DevNull)
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETFL, unix.O_NONBLOCK)
	n, _ := unix.Write(fds[1], text)
	if n == len(text) {
		_ = unix.Close(fds[1])
	} else {
		l.in, l.rest = os.NewFile(uintptr(fds[1]), "|1"), text[max(n, 0):]
	}
	return os.NewFile(uintptr(fds[0]), "|0"), nil
}
