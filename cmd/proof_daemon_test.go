package cmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"evrun/cmd"
	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	daemons "evrun/cmd/daemon"
	"evrun/store/sqlite"
	"evrun/tasks"
)

// The proofs run the real daemon as a process of its own: this test binary, called as evrun-proof. It is `evrun serve`, except that the environment
// may name handlers that no wiring file can have (proofHandlers), and a point to die at (fault_test.go).
const (
	proofName     = "evrun-proof"
	proofHandlers = "EVRUN_PROOF_HANDLERS"
	proofFault    = "EVRUN_PROOF_FAULT"
	proofTraced   = "EVRUN_PROOF_TRACED"  // not empty: strace looks at it
	proofProfile  = "EVRUN_PROOF_PROFILE" // the file of a CPU profile (profiled)
	proofEffects  = "EVRUN_PROOF_EFFECTS" // the directory of the effects' file; default: the daemon's
)

// wirings has the handlers that a proof adds to its wiring file, by the names in proofHandlers.
var wirings = map[string]func(dir string) []*tasks.Handler{}

// serveProof is the daemon of the proofs.
func serveProof() {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	profiled(func() int {
		return cmd.ServeWith(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv(proofTraced) != "", func(cfg *config.Config) {
			if name := os.Getenv(proofHandlers); name != "" {
				cfg.Wiring.Handlers = append(cfg.Wiring.Handlers, wirings[name](dir)...)
			}
		}, func(opt *daemons.StoreOptions) {
			if text := os.Getenv(proofFault); text != "" {
				opt.SQLite = func(opt *sqlite.Options) { armFault(opt, text) }
			}
			if file := os.Getenv(proofClock); file != "" {
				opt.Now = movedClock(file)
			}
		})
	})
}

// proof skips a test with daemons in other processes under -short: the race detector's step of .ci/run only checks this process.
func proof(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a proof with daemons of its own: runs without -short")
	}
}

// unable skips a proof that this machine doesn't allow, or fails it if EVRUN_REQUIRE names the missing thing.
func unable(t *testing.T, what string, err error) {
	t.Helper()
	for name := range strings.SplitSeq(os.Getenv("EVRUN_REQUIRE"), ",") {
		if name == what {
			t.Fatalf("%s is required, but: %v", what, err)
		}
	}
	t.Skipf("NOT PROVEN HERE, for want of %s: %v", what, err)
}

// daemon is a running evrun-proof.
type daemon struct {
	cmd    *exec.Cmd
	dir    string
	log    *bytes.Buffer // its stderr; read it after it has ended
	ended  chan struct{}
	client *client.Client
}

// wired writes the wiring file of a proof into a new directory.
func wired(t testing.TB, wiring string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	wireAt(t, dir, wiring)
	return dir
}

func wireAt(t testing.TB, dir, wiring string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "evrun.yaml"), []byte(wiring), 0o600); err != nil {
		t.Fatal(err)
	}
}

// self is a path under which this test binary is called as name.
func self(t testing.TB, dir, name string) string {
	t.Helper()
	bin, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, name)
	if err := os.Symlink(bin, link); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	return link
}

// serve starts the daemon in dir. env has more variables; before has what goes before the command: strace and its flags.
func serve(t testing.TB, dir string, env []string, before ...string) *daemon {
	t.Helper()
	args := append(before, self(t, dir, proofName), "serve")
	c := exec.Command(args[0], args[1:]...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	return serveWith(t, dir, c)
}

// heedHangUps lets processes that the tests start receive SIGHUP, even under nohup: child processes inherit an ignored signal, but not a caught one.
var heedHangUps = sync.OnceFunc(func() { signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) })

// serveWith starts a daemon whose wiring file is in dir.
func serveWith(t testing.TB, dir string, c *exec.Cmd) *daemon {
	t.Helper()
	heedHangUps()
	d := &daemon{cmd: c, dir: dir, log: new(bytes.Buffer), ended: make(chan struct{}), client: client.New(filepath.Join(dir, "evrun.sock"), filepath.Join(dir, "evrun.yaml"))}
	d.cmd.Stderr = d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait() // the state has its error
		close(d.ended)
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill() // it has ended, or the test failed
		<-d.ended
		if t.Failed() {
			text := d.log.String()
			t.Logf("the daemon's log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return d
}

// ready waits until the daemon takes events.
func (d *daemon) ready(t testing.TB) {
	t.Helper()
	eventuallyTrue(t, "the daemon is ready", func() (bool, string) {
		select {
		case <-d.ended:
			t.Fatalf("the daemon has ended: %v\n%s", d.cmd.ProcessState, d.log)
		default:
		}
		err := d.client.Ping(t.Context())
		return err == nil, fmt.Sprint(err)
	})
}

// kill ends the daemon as a crash does.
func (d *daemon) kill(t testing.TB) {
	t.Helper()
	if err := d.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	<-d.ended
}

// code waits for the daemon's end: its exit code, or -1 when a signal ended it.
func (d *daemon) code(t testing.TB) int {
	t.Helper()
	select {
	case <-d.ended:
	case <-time.After(patience):
		_ = d.cmd.Process.Signal(syscall.SIGQUIT) // so that the log has its goroutines
		<-d.ended
		t.Fatalf("the daemon did not end\n%s", d.log)
	}
	return d.cmd.ProcessState.ExitCode()
}

// stop ends the daemon as Ctrl-C does; it must exit with 0.
func (d *daemon) stop(t testing.TB) {
	t.Helper()
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := d.code(t); code != 0 {
		t.Fatalf("a stopped daemon: exit %d\n%s", code, d.log)
	}
}

// eventuallyTrue calls is until it returns true; its text says what is missing.
func eventuallyTrue(t testing.TB, what string, ask func() (bool, string)) {
	t.Helper()
	within(t, patience, what, ask)
}

func within(t testing.TB, d time.Duration, what string, ask func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(d)
	for {
		ok, missing := ask()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s: %s", what, missing)
		}
		pauseFor(t.Context(), 5*time.Millisecond)
	}
}

// pauseFor waits for another process, which synctest can't see.
func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// get reads the daemon's answer to a GET.
func (d *daemon) get(t *testing.T, path string, into any) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(d.dir, "evrun.sock"))
	}}}
	res, err := client.Get("http://evrun" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", path, res.Status, err)
	}
}

// tcp gives the URL of the daemon's TCP port, and the owner's token.
func (d *daemon) tcp(t *testing.T) (url, token string) {
	t.Helper()
	var status api.Status
	d.get(t, "/v1/status", &status)
	text, err := os.ReadFile(filepath.Join(d.dir, "evrun.token"))
	if err != nil {
		t.Fatal(err)
	}
	return status.TCP.URL, strings.TrimSpace(string(text))
}
