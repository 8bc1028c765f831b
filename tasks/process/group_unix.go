//go:build unix

package process

import (
	"os"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// grouped makes a command lead a process group of its own, as a user; nil: as this process's.
func grouped(u *User) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if u != nil {
		attr.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	return attr
}

// signalGroup signals a whole process group. It ignores errors: the group may have ended, or a part of it may belong to another user.
func signalGroup(group int, s syscall.Signal) { _ = syscall.Kill(-group, s) }

// SignalName returns the name of a signal, as SIGKILL.
func SignalName(s syscall.Signal) string { return unix.SignalName(s) }

// withSystem returns the variables of a command with those that the system needs to start it.
func withSystem(env []string) []string { return env }

// setUmask sets the umask of this process. restore sets the one that it had.
func setUmask(umask int) (restore func()) {
	old := unix.Umask(umask)
	return func() { unix.Umask(old) }
}

// keepDescriptors runs closeOnExec once: Go opens all later descriptors as close-on-exec.
var keepDescriptors = sync.OnceFunc(closeOnExec)

// closeOnExec marks the descriptors that this process was started with, so that commands inherit only their own three.
func closeOnExec() {
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return
	}
	for _, d := range open {
		if fd, err := strconv.Atoi(d.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}
