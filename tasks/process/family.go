package process

import (
	"os"
	"syscall"
	"time"
)

// family is a command and all processes that it has started: those of its group, those with its mark, and those in its cgroup.
type family struct {
	group  int
	mark   string
	cgroup *cgroup
	grace  time.Duration

	asked   map[int]string // processes that got SIGTERM, with their start times: they belong to the family even when their parents end
	stopped time.Time      // when the command ended
}

// giveUpAfter is how long to wait for killed processes. One that is stuck in the kernel may never end.
const giveUpAfter = 5 * time.Second

// stop sends SIGTERM, and SIGKILL when the grace is over, unless gone is closed before.
func (f *family) stop(gone <-chan struct{}) {
	f.stopped = time.Now()
	members := f.members() // before the signal: it ends parents, and with them the trace to their children
	signalGroup(f.group, syscall.SIGTERM)
	f.ask(members, f.group)
	wait(f.grace, gone)
	select {
	case <-gone: // end does the rest
	default:
		signalGroup(f.group, syscall.SIGKILL)
		signal(f.members(), syscall.SIGKILL)
		f.cgroup.kill()
	}
}

// end ends the rest of the command, whose leader has ended and is not reaped yet. It returns the processes that could not be ended.
func (f *family) end() (left []int) {
	deadline := time.Now().Add(f.grace)
	if !f.stopped.IsZero() {
		deadline = f.stopped.Add(f.grace)
	}
	for pause := time.Millisecond; f.leftAny(); pause = min(2*pause, 50*time.Millisecond) {
		reap()
		members := f.members()
		switch now := time.Now(); {
		case now.After(deadline.Add(giveUpAfter)):
			for _, m := range members {
				left = append(left, m.pid)
			}
			return left
		case now.After(deadline):
			signal(members, syscall.SIGKILL)
			f.cgroup.kill()
		default:
			f.ask(members, 0)
		}
		wait(pause, nil)
	}
	signalGroup(f.group, syscall.SIGKILL)
	return nil
}

// ask sends SIGTERM to each process once; those of the group, unless it is 0, already got it. Later calls signal only processes
// that became our children, and not those that signalled processes started since, to clean up.
func (f *family) ask(members []member, group int) {
	first := f.asked == nil
	if first {
		f.asked = map[int]string{}
	}
	var strangers []member
	for _, m := range members {
		if f.wasAsked(m) || !first && m.parent != os.Getpid() {
			continue
		}
		f.asked[m.pid] = m.started
		if group == 0 || m.group != group {
			strangers = append(strangers, m)
		}
	}
	signal(strangers, syscall.SIGTERM)
}

func (f *family) wasAsked(m member) bool { return m.started != "" && f.asked[m.pid] == m.started }

// member is a process.
type member struct {
	pid, parent, group int
	started            string // in ticks of the kernel's clock: with it, a number names one process
	ending             bool   // it no longer runs code
	loading            bool   // its program is being loaded
	zombie             bool   // it has ended and must be reaped
}
