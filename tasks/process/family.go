package process

import (
	"os"
	"syscall"
	"time"
)

// family is all that a command has started: the processes of its group, those that carry its mark, and those in its cgroup.
type family struct {
	group  int
	mark   string
	cgroup *cgroup
	grace  time.Duration

	asked   map[int]string // who got SIGTERM, and when they had started: they belong to it, whatever becomes of their parents
	stopped time.Time      // when the command did
}

// giveUpAfter is how long killed processes are waited for. One that is stuck in the kernel may take for ever.
const giveUpAfter = 5 * time.Second

// stop sends SIGTERM, and SIGKILL when the grace is over, unless gone is closed before.
func (f *family) stop(gone <-chan struct{}) {
	f.stopped = time.Now()
	members := f.members() // first: at the signal, parents end and so may the trace to their children
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

// end ends what is left of the command, whose leader has ended and is not reaped. It returns what could not be ended.
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

// ask sends SIGTERM, to each once; those of the group, unless it is 0, got it already. Later on only what came back to this
// process is asked, and not what those that were asked have started since, to put things in order.
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
	ending             bool   // it runs nothing any more
	loading            bool   // its program is being loaded
	zombie             bool   // it has ended, and is to be reaped
}
