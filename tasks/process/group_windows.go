package process

import (
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/windows"
)

// grouped makes a command the first of a group that console signals can be sent to. It runs as the user of this process:
// [LookupUser] finds no other.
func grouped(*User) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// signalGroup ends the first process of a group at SIGKILL; its job ends the others. At any other signal the group gets CTRL_BREAK, which
// reaches it only where this process has a console.
func signalGroup(group int, s syscall.Signal) {
	if s != syscall.SIGKILL {
		_ = windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(group))
		return
	}
	if p, err := os.FindProcess(group); err == nil {
		_ = p.Kill() // it may have ended
		_ = p.Release()
	}
}

// SignalName returns the name of a signal. No process ends by one here.
func SignalName(s syscall.Signal) string { return s.String() }

// withSystem returns the variables of a command with those that the system needs to start it.
func withSystem(env []string) []string {
	return append(slices.Clip(env), "SYSTEMROOT="+os.Getenv("SYSTEMROOT"))
}

// setUmask does nothing: there is none.
func setUmask(int) (restore func()) { return func() {} }

// keepDescriptors does nothing: a command gets only the handles that it is given.
func keepDescriptors() {}
