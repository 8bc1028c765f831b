package handlers

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// linger is how long what a command leaves behind may hold its output after the command itself has ended.
const linger = time.Second

// ending is how a command ended.
type ending struct {
	state          *os.ProcessState
	stopped        bool // its context ended first
	stdout, stderr output
}

// runCommand runs cmd in a process group of its own, with stdin as its input; mark is a text in its environment that no other
// command has. It returns when the command has ended and
// nothing of its group is left; an error says that it could not be started.
//
// When ctx ends, the group gets SIGTERM, and SIGKILL after grace. When the command ends by itself, what it left behind has a
// moment to close the output, and is killed. So is the whole group when this process dies, see [watchdog]. A process that
// made itself a group or session of its own (setsid) is out of reach; it doesn't hold up the end, but its output is cut off.
//
// Why no other process can be hit by the number of the group: the number stays taken while the leader is not reaped, and it is
// reaped last. Signals are sent before that, and by this function alone.
func runCommand(ctx context.Context, cmd *exec.Cmd, mark string, stdin []byte, grace time.Duration, warn func(error)) (*ending, error) {
	keepDescriptors()
	// The kernel's tie to a dying parent is one to the thread that started the child (see tie): it must not end before.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	tie(cmd.SysProcAttr)
	var in io.WriteCloser // what isn't given is /dev/null
	if len(stdin) > 0 {
		var err error
		if in, err = cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := groups.expect(mark); err != nil {
		warn(err)
	}
	if err := cmd.Start(); err != nil {
		groups.runs(mark, 0)
		return nil, err
	}
	group := cmd.Process.Pid
	groups.runs(mark, group)

	e := &ending{}
	var streams, outputs sync.WaitGroup
	outputs.Go(func() { _, _ = io.Copy(&e.stdout, stdout) })
	outputs.Go(func() { _, _ = io.Copy(&e.stderr, stderr) })
	if in != nil {
		streams.Go(func() {
			_, _ = in.Write(stdin) // a command need not read it
			_ = in.Close()
		})
	}
	closed := make(chan struct{})
	streams.Go(func() {
		outputs.Wait()
		close(closed)
	})

	gone, killed := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		signalGroup(group, syscall.SIGTERM)
		wait(grace, gone)
		signalGroup(group, syscall.SIGKILL)
	})
	e.state, err = awaitEnd(cmd.Process)
	patience := linger
	if e.stopped = ctx.Err() != nil; e.stopped {
		patience = grace + linger // the rest of the group may take its time, as the leader did; killed ends it
	}
	wait(patience, closed, killed)
	close(gone)
	if !stop() {
		<-killed
	}
	signalGroup(group, syscall.SIGKILL)
	groups.ends(group)
	if e.state == nil {
		e.state, err = cmd.Process.Wait()
	}

	wait(linger, closed)
	for _, c := range []io.Closer{in, stdout, stderr} {
		if c != nil {
			_ = c.Close()
		}
	}
	streams.Wait()
	return e, err
}

// signalGroup signals all of a group. That none of it is left, or that a part of it belongs to another user now, can't be helped.
func signalGroup(group int, s syscall.Signal) { _ = syscall.Kill(-group, s) }

// wait returns when one of the channels is closed, and after d at the latest.
func wait(d time.Duration, first <-chan struct{}, or ...<-chan struct{}) {
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

// keepDescriptors runs closeOnExec, once: all that is opened later is close-on-exec by itself.
var keepDescriptors = sync.OnceFunc(closeOnExec)

// closeOnExec sees to it that commands get none of our descriptors but their own three. Go opens all of them so; those that
// this process was started with need not be.
func closeOnExec() {
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return
	}
	for _, d := range open {
		if fd, err := strconv.Atoi(d.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}
