//go:build !linux

package process

import (
	"os"
	"syscall"
)

// tie does nothing: commands outlive a killed daemon.
func tie(*syscall.SysProcAttr) {}

// awaitEnd returns when p has ended, and was reaped: there is no portable way to wait without reaping. The id of the group may
// then be reused before the rest of the group is killed.
func awaitEnd(p *os.Process) *os.ProcessState {
	state, _ := p.Wait() // nil: release says why
	return state
}
