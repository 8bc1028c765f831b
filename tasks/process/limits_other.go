//go:build !linux

package process

import (
	"errors"
	"os"
)

// Check returns why the limits can't be held.
func (l Limits) Check(*User) error {
	if l == (Limits{}) {
		return nil
	}
	return errors.New("commands have limits on Linux only")
}

func (c *Command) limited(*os.ProcAttr) (*os.Process, error) { return nil, c.Limits.Check(nil) }

// UsedUp reports whether a command ended because of its limit.
func (l Limits) UsedUp(*os.ProcessState) bool { return false }
