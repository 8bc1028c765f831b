//go:build unix

package cmd_test

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// killProcess ends a process as a crash does: nothing is flushed, no deferred call runs.
func killProcess(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

// mkfifo makes a named pipe.
func mkfifo(path string) error { return unix.Mkfifo(path, 0o600) }
