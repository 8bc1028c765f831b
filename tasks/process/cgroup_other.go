//go:build !linux

package process

import "syscall"

// cgroup exists on Linux only.
type cgroup struct{}

func takeCgroup(string) *cgroup { return nil }

func removeCgroups() {}

func (*cgroup) hold(*syscall.SysProcAttr) {}
func (*cgroup) gone(error) bool           { return false }
func (*cgroup) give()                     {}
func (*cgroup) kill()                     {}
