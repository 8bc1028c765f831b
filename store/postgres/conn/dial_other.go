//go:build !linux

package conn

import "syscall"

func bound(_, _ string, _ syscall.RawConn) error {
	_ = unanswered // the system's own bound counts
	return nil
}
