//go:build !linux

package handlers

import (
	"os"
	"syscall"
)

// tie does nothing: there is only the watchdog.
func tie(*syscall.SysProcAttr) {}

// awaitEnd returns when p has ended, and was reaped: there is no portable way to leave it. The group's number can then be
// given to another one, in the moment until what is left of the group is killed.
func awaitEnd(p *os.Process) (*os.ProcessState, error) { return p.Wait() }
