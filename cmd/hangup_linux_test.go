package cmd_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"evrun/tasks"
)

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (outer, inner *os.File) {
	t.Helper()
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		unable(t, "terminals", err)
	}
	t.Cleanup(func() { outer.Close() })
	if err := unix.IoctlSetPointerInt(int(outer.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		unable(t, "terminals", err)
	}
	n, err := unix.IoctlGetInt(int(outer.Fd()), unix.TIOCGPTN)
	if err != nil {
		unable(t, "terminals", err)
	}
	if inner, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		unable(t, "terminals", err)
	}
	t.Cleanup(func() { inner.Close() })
	return outer, inner
}

// hungUp is a daemon that gets a SIGHUP while it loads its wiring file, which has changed by then.
const hungUp = "hung up"

func init() {
	wirings[hungUp] = func(dir string) []*tasks.Handler {
		wiring := []byte("handlers: [{name: h, on: a, do: log, with: {message: x}}]\nserver: {watch: false}\n")
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "evrun.yaml"), wiring, 0o600), syscall.Kill(os.Getpid(), syscall.SIGHUP)); err != nil {
			panic(err)
		}
		return nil
	}
}

// TestAHangUpWhileTheWiringLoads: the daemon reads the file again as soon as it runs.
func TestAHangUpWhileTheWiringLoads(t *testing.T) {
	t.Parallel()
	d := serve(t, wired(t, "handlers: []\nserver: {watch: false}\n"), []string{proofHandlers + "=" + hungUp})
	d.ready(t)
	eventuallyTrue(t, "the daemon reloads", func() (bool, string) {
		s, err := d.client.Status(t.Context())
		return err == nil && len(s.Handlers) == 1, fmt.Sprintf("%+v %v", s.Handlers, err)
	})
	d.stop(t)
}

// TestAClosedTerminalStopsTheDaemon: a closed terminal stops the daemon; a SIGHUP by hand makes it reload, in a terminal too.
func TestAClosedTerminalStopsTheDaemon(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"in the foreground":  "exec %s serve",
		"in the background":  "%s serve & wait",
		"with its own files": "exec %s serve </dev/null >/dev/null",
	} {
		t.Run(name, func(t *testing.T) {
			dir := wired(t, "handlers: []\n")
			outer, inner := openTerminal(t)
			c := exec.Command("sh", "-c", fmt.Sprintf(script, self(t, dir, proofName)))
			c.Dir, c.Stdin, c.Stdout = dir, inner, inner
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			d := serveWith(t, dir, c)
			d.ready(t)
			status, err := d.client.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			reloads := func(want int) {
				eventuallyTrue(t, "the daemon reloads", func() (bool, string) {
					wireAt(t, dir, fmt.Sprintf("handlers: [{name: h%d, on: a, do: log, with: {message: x}}]\nserver: {watch: false}\n", want))
					if err := syscall.Kill(status.PID, syscall.SIGHUP); err != nil {
						t.Fatal(err)
					}
					s, err := d.client.Status(t.Context())
					return err == nil && len(s.Handlers) == 1 && s.Handlers[0].Name == fmt.Sprintf("h%d", want), fmt.Sprintf("%+v %v", s.Handlers, err)
				})
			}
			reloads(1)
			reloads(2)
			inner.Close()
			outer.Close()
			<-d.ended // of the shell, and of every process that has its stderr
			if text := d.log.String(); !strings.Contains(text, "the terminal that evrun was started in was closed") || !strings.Contains(text, "msg=stopped") {
				t.Errorf("it says\n%s", text)
			}
			if code := d.cmd.ProcessState.ExitCode(); strings.HasPrefix(script, "exec") && code != 0 {
				t.Errorf("exit %d", code)
			}
		})
	}
}

// TestADaemonThatOutlivesItsTerminal: nohup and setsid keep a daemon running. Where SIGHUP is not ignored, it reloads.
func TestADaemonThatOutlivesItsTerminal(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		script  string
		reloads bool
	}{
		"nohup":  {"trap '' HUP; exec %s serve", false},
		"setsid": {"setsid %s serve & wait", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := wired(t, "handlers: []\nserver: {watch: false}\n")
			outer, inner := openTerminal(t)
			c := exec.Command("sh", "-c", fmt.Sprintf(x.script, self(t, dir, proofName)))
			c.Dir, c.Stdin, c.Stdout = dir, inner, inner
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			d := serveWith(t, dir, c)
			ready := func() (bool, string) {
				err := d.client.Ping(t.Context())
				return err == nil, fmt.Sprint(err)
			}
			eventuallyTrue(t, "the daemon is ready", ready)
			status, err := d.client.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			inner.Close()
			outer.Close()
			wireAt(t, dir, "handlers: [{name: h, on: a, do: log, with: {message: x}}]\nserver: {watch: false}\n")
			if err := syscall.Kill(status.PID, syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if x.reloads {
				eventuallyTrue(t, "the daemon reloads", func() (bool, string) {
					s, err := d.client.Status(t.Context())
					return err == nil && len(s.Handlers) == 1, fmt.Sprintf("%+v %v", s.Handlers, err)
				})
			} else if ok, why := ready(); !ok {
				t.Error(why)
			}
			if err := syscall.Kill(status.PID, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-d.ended
			if text := d.log.String(); strings.Contains(text, "was closed") || !strings.Contains(text, "msg=stopped") {
				t.Errorf("it says\n%s", text)
			}
		})
	}
}
