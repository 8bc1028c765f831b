//go:build !linux

package process

import (
	"os"
	"syscall"
)

// tie does nothing: a command outlives an evrun that is killed.
func tie(*syscall.SysProcAttr) {}

// awaitEnd returns when p has ended, and was reaped: there is no portable way to leave it. The group's number can then be
// given to another one, in the moment until what is left of the group is killed.
func awaitEnd(p *os.Process) *os.ProcessState {
	state, _ := p.Wait() // nil: release says why
	return state
}
