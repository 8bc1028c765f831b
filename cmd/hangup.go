package cmd

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// hangUps tells the SIGHUPs that ask for a reload from the one of a terminal that closes. They are caught until stop: while
// the daemon starts or stops, none kills it.
type hangUps struct {
	c        chan os.Signal
	terminal bool // the daemon was started in one
}

func listenToHangUps() *hangUps {
	h := &hangUps{c: make(chan os.Signal, 1), terminal: hasTerminal()}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(h.c, syscall.SIGHUP)
	}
	return h
}

func (h *hangUps) stop() { signal.Stop(h.c) }

// closed says whether the terminal that the daemon was started in is gone.
func (h *hangUps) closed() bool { return h.terminal && !hasTerminal() }

// hasTerminal says whether this process has a controlling terminal. The system takes it away before it sends SIGHUP.
func hasTerminal() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}
