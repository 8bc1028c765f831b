package daemon

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// HangUps are the SIGHUPs of this process. It distinguishes those that ask for a reload from the one of a terminal that closes. They are
// caught until Stop: while the daemon starts or stops, none kills it.
type HangUps struct {
	c        chan os.Signal
	terminal bool        // the daemon was started in one, and has not outlived it
	has      func() bool // whether there is a terminal now
	gone     bool        // the last look found none
}

// lookForTerminal is how often a daemon that was started in a terminal looks whether it is still there.
const lookForTerminal = 5 * time.Second

// ListenToHangUps begins to catch SIGHUP, unless it is ignored (nohup).
func ListenToHangUps() *HangUps {
	h := &HangUps{c: make(chan os.Signal, 1), terminal: hasTerminal(), has: hasTerminal}
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
func (h *HangUps) closed() bool { return h.terminal && !h.has() }

// look notes whether the terminal is gone. If two looks found it gone, and no SIGHUP came with it, the daemon was meant to outlive it (disown): from then
// on, SIGHUP asks for a reload. It returns false when there is nothing more to look for.
func (h *HangUps) look() bool {
	switch {
	case !h.closed() || len(h.c) > 0:
		h.gone = false
	case h.gone:
		h.terminal = false
	default:
		h.gone = true
	}
	return h.terminal
}
