package daemon

import (
	"os"
	"syscall"
	"testing"
)

// A terminal that went with a SIGHUP ends the daemon. One that went without (disown) is forgotten, and then a SIGHUP asks for a reload.
func TestATerminalThatWentWithoutASignalIsForgotten(t *testing.T) {
	there := true
	h := &HangUps{c: make(chan os.Signal, 1), terminal: true, has: func() bool { return there }}
	looked := func(want bool) {
		t.Helper()
		if h.look() != want {
			t.Errorf("a look says %v", !want)
		}
	}
	looked(true)
	there = false
	looked(true)
	there = true // it was another reason
	looked(true)
	there = false
	h.c <- syscall.SIGHUP
	looked(true)
	looked(true)
	if !h.closed() {
		t.Error("the signal of the terminal counts as one for a reload")
	}
	<-h.c
	looked(true)
	looked(false)
	if h.closed() {
		t.Error("a later signal stops the daemon")
	}
}
