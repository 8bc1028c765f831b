package daemon

import (
	"os"
	"os/signal"
	"syscall"
)

// HangUps are the SIGHUPs of this process. It distinguishes those that ask for a reload from the one of a terminal that closes. They are
// caught until Stop: while the daemon starts or stops, none kills it.
type HangUps struct {
	c        chan os.Signal
	terminal bool // the daemon was started in one
}

// ListenToHangUps begins to catch SIGHUP, unless it is ignored (nohup).
func ListenToHangUps() *HangUps {
	h := &HangUps{c: make(chan os.Signal, 1), terminal: hasTerminal()}
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(h.c, syscall.SIGHUP)
	}
	return h
}

// Stop gives SIGHUP its usual effect again.
func (h *HangUps) Stop() { signal.Stop(h.c) }

// signals has the SIGHUPs. A nil *HangUps has none.
func (h *HangUps) signals() <-chan os.Signal {
	if h == nil {
		return nil
	}
	return h.c
}

// closed reports whether the terminal that the daemon was started in is gone.
func (h *HangUps) closed() bool { return h.terminal && !hasTerminal() }
