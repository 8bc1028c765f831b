package process

import (
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawning is held for reading while a command starts, until its number is in own, and for writing while children are reaped
// by their numbers, or while the umask is one command's.
var spawning sync.RWMutex

// own has the numbers of the commands that run, from their start until they are reaped, which Run does.
var own = struct {
	sync.Mutex
	pids map[int]bool
}{pids: map[int]bool{}}

// start starts cmd, with a umask of its own unless that is Inherited. The umask is the whole process's: it is another one for
// as long as the start takes, in which no other command starts. Files of evrun's own do not depend on it.
func start(cmd *exec.Cmd, umask int) error {
	if umask == Inherited {
		spawning.RLock()
		defer spawning.RUnlock()
	} else {
		spawning.Lock()
		defer spawning.Unlock()
		defer unix.Umask(unix.Umask(umask))
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	own.Lock()
	defer own.Unlock()
	own.pids[cmd.Process.Pid] = true
	return nil
}

// release reaps a command that has ended. No signal of this package reaches its number, which is free from then on.
func release(p *os.Process, reaped *os.ProcessState) (state *os.ProcessState, err error) {
	own.Lock()
	defer own.Unlock()
	if state = reaped; state == nil {
		state, err = p.Wait()
	}
	delete(own.pids, p.Pid)
	lookAgain()
	return state, err
}

// isOwn says whether pid is one of the commands that run.
func isOwn(pid int) bool {
	own.Lock()
	defer own.Unlock()
	return own.pids[pid]
}

// KillAll kills the groups of all commands that run: for a process that is about to end without waiting for them.
func KillAll() {
	removeCgroups()
	spawning.Lock()
	defer spawning.Unlock()
	own.Lock()
	defer own.Unlock()
	for pid := range own.pids {
		signalGroup(pid, syscall.SIGKILL)
	}
}

// signalGroup signals all of a group. That none of it is left, or that a part of it belongs to another user now, can't be helped.
func signalGroup(group int, s syscall.Signal) { _ = syscall.Kill(-group, s) }
