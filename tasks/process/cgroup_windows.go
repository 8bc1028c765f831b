package process

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// cgroup is the job object of one command: all processes that the command starts belong to it. They end when it is closed, by this
// process or by its end. A nil cgroup does nothing.
type cgroup struct{ job windows.Handle }

// takeCgroup makes a job object.
func takeCgroup(string) *cgroup {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE},
	}
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err != nil {
		_ = windows.CloseHandle(job)
		return nil
	}
	return &cgroup{job}
}

// add puts a command that was just started into c.
func (c *cgroup) add(p *os.Process) {
	if c == nil {
		return
	}
	_ = p.WithHandle(func(h uintptr) { _ = windows.AssignProcessToJobObject(c.job, windows.Handle(h)) }) // it may have ended
}

// kill ends all processes in c.
func (c *cgroup) kill() {
	if c != nil {
		_ = windows.TerminateJobObject(c.job, 1)
	}
}

// give ends what is left in c.
func (c *cgroup) give() {
	if c != nil {
		_ = windows.CloseHandle(c.job)
	}
}

func removeCgroups() {}

func (*cgroup) hold(*syscall.SysProcAttr) {}
func (*cgroup) gone(error) bool           { return false }
