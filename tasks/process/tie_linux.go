package process

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// tie has the kernel kill the child when the thread that started it ends, which must be locked until the child has ended.
// It reaches the child alone; the rest is for [EndLeftovers].
func tie(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// awaitEnd returns when p has ended, and leaves it to be reaped: nil.
func awaitEnd(p *os.Process) *os.ProcessState {
	for {
		if err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			return nil
		}
	}
}
