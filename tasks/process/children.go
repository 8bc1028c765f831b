package process

import (
	"os"
	"sync"
	"syscall"
)

// spawning is held for reading while a command starts, until its process id is in own, and for writing while children are reaped
// by their process ids or while the umask is that of one command.
var spawning sync.RWMutex

// own has the process ids of running commands, from their start until Run reaps them.
var own = struct {
	sync.Mutex
	pids map[int]bool
}{pids: map[int]bool{}}

// start starts a command with a umask, unless that is Inherited. The umask belongs to the whole process, so it changes during the start
// and no other command starts meanwhile. The modes of evrun's own files do not depend on it.
func start(path string, args []string, attr *os.ProcAttr, umask int) (*os.Process, error) {
	if umask == Inherited {
		spawning.RLock()
		defer spawning.RUnlock()
	} else {
		spawning.Lock()
		defer spawning.Unlock()
		defer setUmask(umask)()
	}
	p, err := os.StartProcess(path, args, attr)
	if err != nil {
		return nil, err
	}
	own.Lock()
	defer own.Unlock()
	own.pids[p.Pid] = true
	return p, nil
}

// release reaps a command that has ended. After it, its process id is free, and this package sends no more signals to it.
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

// isOwn reports whether pid is a running command.
func isOwn(pid int) bool {
	own.Lock()
	defer own.Unlock()
	return own.pids[pid]
}

// KillAll kills the groups of all running commands, for a process that is about to exit without waiting for them.
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
