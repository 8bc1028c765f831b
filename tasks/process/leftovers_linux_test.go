package process

import (
	"errors"
	"syscall"
	"testing"
	"time"
)

func TestEndLeftovers(t *testing.T) {
	theirs := begin(t, `setsid sh -c 'trap "" TERM; echo ready >&9; while :; do sleep 1; done' & trap '' TERM; wait`,
		Command{Grace: time.Hour, Mark: markOf("7-theirs") + "a"})
	other := begin(t, `setsid sh -c 'echo ready >&9; read -r _ <release; echo released >&9' & wait`,
		Command{Grace: time.Hour, Mark: markOf("7-other") + "b"})
	if n, left := EndLeftovers(t.Context(), testStore+"a"); n < 1 || len(left) > 0 {
		t.Errorf("%d, %v", n, left)
	}
	<-theirs.done // its child was what it waited for
	theirs.rest(t)
	other.release(t)
	if rest := other.rest(t); rest != "released\n" {
		t.Error(rest)
	}
	<-other.done
}

func TestKillAll(t *testing.T) {
	a := begin(t, `trap '' TERM; (trap '' TERM; echo ready >&9; while :; do sleep 1; done) & while :; do sleep 1; done`, Command{Grace: time.Hour})
	KillAll()
	<-a.done
	a.rest(t)
	if a.ending.State.String() != "signal: killed" {
		t.Error(a.ending.State)
	}
}

// noChildren checks that all adopted processes were reaped: none is left, not even as a zombie.
func noChildren(t *testing.T) {
	t.Helper()
	// The last process may have ended after the check, and a killed process closes its files before it has ended.
	for deadline := time.Now().Add(5 * time.Minute); ; <-time.After(time.Millisecond) {
		reap()
		pids := children()
		if len(pids) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("children are left: %v", pids)
		}
	}
}

// reapAll waits for the remaining children.
func reapAll(t *testing.T) {
	t.Helper()
	for _, pid := range children() {
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil && !errors.Is(err, syscall.ECHILD) {
			t.Error(err)
		}
	}
}
