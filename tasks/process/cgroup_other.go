//go:build !linux && !windows

package process

import (
	"os"
	"syscall"
)

// cgroup exists on Linux, and as a job object on Windows.
type cgroup struct{}

func takeCgroup(string) *cgroup { return nil }

func removeCgroups() {}

func (*cgroup) hold(*syscall.SysProcAttr) {}
func (*cgroup) add(*os.Process)           {}
func (*cgroup) gone(error) bool           { return false }
func (*cgroup) give()                     {}
func (*cgroup) kill()                     {}
