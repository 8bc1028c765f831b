package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"evrun/cmd/api/client"
	"evrun/tasks/control"
)

// Bounds of waits.
const (
	lookEvery = 20 * time.Millisecond
	patience  = 30 * time.Second // for the daemon, and for what it has to do
	atTheEnd  = 5 * time.Second  // for a daemon that stops
)

// command is a process of this program in the demo's directory. No variable of evrun's reaches it: the demo's daemon has nothing to do with others.
func command(dir string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(self, args...) //nolint:gosec // this program itself
	c.Args[0] = "evrun"
	c.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "EVRUN_") {
			c.Env = append(c.Env, v)
		}
	}
	return c, nil
}

// evrun shows a command of evrun, runs it, and expects an exit code.
func (d *demo) evrun(ctx context.Context, want int, args ...string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if d.JSON() {
		args = append(args, "-o", "json")
	} else if err := d.prompt(append([]string{"evrun"}, args...)); err != nil {
		return err
	}
	c, err := command(d.dir, args...)
	if err != nil {
		return err
	}
	c.Stdout, c.Stderr = d.Out, d.Err
	if err := c.Run(); exitCode(err) != want {
		return fmt.Errorf("evrun %s: exit code %d and not %d", args[0], exitCode(err), want)
	}
	return ctx.Err()
}

// exitCode is that of a process; -1: it could not be run.
func exitCode(err error) int {
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.ExitCode()
	}
	return -1
}

// count shows how many users there are.
func (d *demo) count(ctx context.Context, want int) error {
	args := []string{"users", "list", "-n", "0", "-o", "json"}
	c, err := command(d.dir, args...)
	if err != nil {
		return err
	}
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("evrun users list: %w", err)
	}
	n := strings.Count(string(out), "\n")
	if d.JSON() {
		err = d.PrintJSON(map[string]any{"users": n})
	} else if err = d.prompt(append(append([]string{"evrun"}, args...), "|", "wc", "-l")); err == nil {
		err = d.print(fmt.Sprintln(n))
	}
	if err == nil && n != want {
		err = fmt.Errorf("there should be %d users", want)
	}
	return errors.Join(err, ctx.Err())
}

// daemon is the demo's daemon. A nil one does not run.
type daemon struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
}

// startDaemon starts a daemon in dir and waits until it answers. Ctrl-C on the terminal reaches it, too, and stops it.
func startDaemon(ctx context.Context, dir string) (*daemon, error) {
	log, err := os.OpenFile(filepath.Join(dir, "daemon.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c, err := command(dir, "serve")
	if err != nil {
		return nil, err
	}
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return nil, err
	}
	d := &daemon{cmd: c, ended: make(chan struct{})}
	go func() {
		defer close(d.ended)
		_ = c.Wait() // how it ended is in its log
	}()
	asked := clientIn(dir)
	err = eventually(ctx, "the daemon does not answer", func() bool { return asked.Ping(ctx) == nil })
	if err != nil {
		return nil, errors.Join(err, d.end())
	}
	return d, nil
}

func (d *daemon) pid() int { return d.cmd.Process.Pid }

// kill ends the daemon without a warning.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill() // an error means that it has ended
	<-d.ended
}

// end stops the daemon, and kills it if it does not stop.
func (d *daemon) end() error {
	if d == nil {
		return nil
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-d.ended:
		return nil
	case <-time.After(atTheEnd):
		d.kill()
		return errors.New("the daemon did not stop, and was killed")
	}
}

func clientIn(dir string) *client.Client {
	return client.New(filepath.Join(dir, "evrun.sock"), filepath.Join(dir, "evrun.yaml"), filepath.Join(dir, "evrun.db"))
}

// settled waits until the handlers have nothing more to do.
func (d *demo) settled(ctx context.Context) error {
	asked := clientIn(d.dir)
	return eventually(ctx, "the handlers did not come to an end", func() bool {
		s, err := asked.Status(ctx)
		if err != nil {
			return false
		}
		for _, h := range s.Handlers {
			if !idle(h) {
				return false
			}
		}
		return true
	})
}

func idle(h control.HandlerStatus) bool { return h.Behind == 0 && h.Running == 0 && h.Retrying == 0 }

func eventually(ctx context.Context, otherwise string, is func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New(otherwise))
	defer cancel()
	for !is() {
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
