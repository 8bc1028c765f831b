// Package process runs commands, and leaves nothing of them behind.
//
// A command runs in its own process group. It has ended when its leader and all processes that it started have ended: those that
// are left get SIGTERM, and SIGKILL after the grace period.
//
// On Linux that includes processes that leave the group (setsid), once [Adopt] has made this process a child subreaper: such a
// process becomes our child when its parent ends, and the variable that marks the command, which it inherited, shows whose it is.
// /proc is searched only when there are such children. When this process is killed, the kernel kills the leaders, and
// [EndLeftovers] of the next one ends the rest. Two kinds of process escape: one that leaves the group and drops
// the variable (env -i) or hides it (ssh-agent hides itself; only root can read that of another user), and one that
// another daemon starts (at, systemd-run, docker). If this process may create cgroups (v2, delegated to it), each command
// has one, and only the latter escapes.
//
// On Windows each command has a job object, which ends with it and with this process. Only what the command starts before it is in
// its job, in its first moments, escapes. SIGTERM is CTRL_BREAK there, which reaches commands only where evrun has a console.
//
// Elsewhere only the group ends with the command, and only when this process is alive to end it.
//
// Children, umask and subreaper belong to the whole process, so this package's state is global: after Adopt, the exit codes of
// processes that are started without this package are lost to [Reap].
package process

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

// linger is how long processes that a command leaves behind may keep its output open after the command has ended.
const linger = time.Second

// Command is a program to run, and how to end it.
type Command struct {
	Path           string // of the program, absolute
	Args, Env      []string
	Dir            string
	Stdin          []byte // nil: /dev/null
	Stdout, Stderr io.Writer
	Mark           string        // a variable in Env that no other command has, as NAME=value
	Grace          time.Duration // from SIGTERM to SIGKILL
	Umask          int           // Inherited: this process's
	User           *User         // nil: this process's
	Leave          bool          // processes that outlive the command are not ended
	Limits         Limits
}

// Inherited is the Umask of a command that keeps the umask of this process.
const Inherited = -1

// LeaveVariable is set for processes that may outlive their command and this process.
const LeaveVariable = "EVRUN_LEAVE"

const leaveMark = LeaveVariable + "=true"

// Ending is how a command ended.
type Ending struct {
	State   *os.ProcessState
	Stopped bool  // its context ended first
	Left    []int // processes that could not be ended: another user's, or stuck in the kernel
}

// AtOnce is a cause for which a context ends that leaves a command no time, such as that another daemon may run it again any moment.
type AtOnce interface {
	error
	EndsAtOnce()
}

// Run runs a command. It returns when the command has ended and nothing of it is left; an error says that it could not be
// started.
//
// When ctx ends, all processes of the command get SIGTERM, and SIGKILL after the grace period, or at once if its cause is an [AtOnce]. When the command ends by itself, the
// processes that it left behind have a moment to close the output, and are then ended in the same way.
//
// Why no signal can reach an unrelated process: the id of the group is not reused before the leader is reaped, the leader is
// reaped last, and only this function signals the group, before that.
func Run(ctx context.Context, c *Command) (*Ending, error) {
	keepDescriptors()
	// The kernel kills the child when the thread that started it ends (see tie), so that thread must outlive the child.
	runtime.LockOSThread()
	unlock := sync.OnceFunc(runtime.UnlockOSThread)
	defer unlock()
	var held *cgroup
	if !c.Leave {
		held = takeCgroup(c.Mark)
	}
	l, err := c.launch(held)
	if held.gone(err) {
		held.give()
		held = nil
		l, err = c.launch(nil)
	}
	defer held.give()
	if err != nil {
		return nil, err
	}
	f := &family{group: l.leader.Pid, mark: c.Mark, cgroup: held, grace: c.Grace}
	closed := make(chan struct{})
	var streams sync.WaitGroup
	streams.Go(func() {
		defer close(closed)
		var stderr sync.WaitGroup
		stderr.Go(func() { drain(c.Stderr, l.stderr) })
		drain(c.Stdout, l.stdout)
		stderr.Wait()
	})
	if l.in != nil {
		streams.Go(func() {
			_, _ = l.in.Write(l.rest) // a command need not read it
			_ = l.in.Close()
		})
	}

	e := &Ending{}
	gone, killed := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		var now AtOnce
		if errors.As(context.Cause(ctx), &now) {
			f.grace = 0
		}
		f.stop(gone)
	})
	e.State = awaitEnd(l.leader)
	unlock()
	patience := linger
	if e.Stopped = ctx.Err() != nil; e.Stopped {
		patience = c.Grace + linger // the rest of it may take its time, as the leader did; killed ends it
	}
	wait(patience, closed, killed)
	close(gone)
	if !stop() {
		<-killed
	}
	if !c.Leave || e.Stopped {
		e.Left = f.end()
	}
	e.State, err = release(l.leader, e.State)

	wait(linger, closed)
	l.close()
	streams.Wait()
	return e, err
}

// launched is a running command, with our ends of its pipes.
type launched struct {
	leader         *os.Process
	in             *os.File // nil: it has all of its input
	rest           []byte   // of its input
	stdout, stderr *os.File
}

func (l *launched) close() {
	for _, f := range []*os.File{l.in, l.stdout, l.stderr} {
		_ = f.Close() // of nil: an error
	}
}

// launch starts the command, in a cgroup unless that is nil.
func (c *Command) launch(in *cgroup) (_ *launched, err error) {
	l := &launched{}
	var theirs [3]*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
		if err != nil {
			l.close()
		}
	}()
	if theirs[0], err = l.input(c.Stdin); err != nil {
		return nil, err
	}
	if l.stdout, theirs[1], err = pipe(); err != nil {
		return nil, err
	}
	if l.stderr, theirs[2], err = pipe(); err != nil {
		return nil, err
	}
	attr := &os.ProcAttr{
		Dir: c.Dir, Env: withSystem(c.Env), Files: theirs[:], Sys: grouped(c.User),
	}
	if c.Leave {
		attr.Env = append(slices.Clip(attr.Env), leaveMark)
	}
	tie(attr.Sys)
	in.hold(attr.Sys)
	if c.Limits != (Limits{}) {
		l.leader, err = c.limited(attr)
	} else {
		l.leader, err = start(c.Path, c.Args, attr, c.Umask)
	}
	if err == nil {
		in.add(l.leader)
	}
	return l, err
}

// buffers are for drain: most commands write little or nothing, so that a new buffer for each would be most of the garbage.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// drain copies what a command writes until it closes its end, or we close ours.
func drain(to io.Writer, from *os.File) {
	buffer := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buffer)
	for {
		n, err := from.Read(buffer[:])
		if n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// wait returns when one of the channels is closed, and after d at the latest.
func wait(d time.Duration, first <-chan struct{}, or ...<-chan struct{}) {
	select {
	case <-first:
		return
	default:
	}
	var second <-chan struct{}
	if len(or) > 0 {
		second = or[0]
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-first:
	case <-second:
	case <-t.C:
	}
}
