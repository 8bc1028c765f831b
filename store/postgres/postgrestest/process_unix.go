//go:build unix

package postgrestest

import (
	"strconv"
	"syscall"
)

const (
	interrupt = syscall.SIGINT
	quit      = syscall.SIGQUIT
)

// withoutRights makes a process run as the server's user, in a process group of its own: a Ctrl-C on a terminal is for the test alone.
func withoutRights() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	u, err := account()
	if u == nil || err != nil {
		return attr, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, nil
}
