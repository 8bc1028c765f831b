package process

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// tie makes the kernel kill the child when the thread that started it ends. That thread must stay locked until the child has ended.
// Descendants of the child are not killed: [EndLeftovers] ends them.
func tie(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// awaitEnd returns when p has ended, and leaves it to be reaped: nil.
func awaitEnd(p *os.Process) *os.ProcessState {
	for {
		if err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			return nil
		}
	}
}
