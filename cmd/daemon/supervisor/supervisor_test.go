//go:build unix

package supervisor_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"evrun/cmd/api/apitest"
	"evrun/cmd/daemon"
	"evrun/cmd/daemon/daemontest"
	"evrun/cmd/daemon/supervisor"
	"evrun/store/sqlite"
)

// listen makes a socket as a service manager does, sets the variables that name it, and returns the messages that arrive.
func listen(t *testing.T, watchdog string) <-chan string {
	t.Helper()
	path := filepath.Join(apitest.Dir(t), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	messages := make(chan string, 1000)
	go func() {
		defer close(messages)
		for text := make([]byte, 4096); ; {
			n, err := c.Read(text)
			if err != nil {
				return
			}
			messages <- string(text[:n])
		}
	}()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", watchdog)
	return messages
}

// await returns the next message that begins with a line. Those for the watchdog may come before it.
func await(t *testing.T, messages <-chan string, line string) string {
	t.Helper()
	for m := range messages {
		if m == line || strings.HasPrefix(m, line+"\n") {
			return m
		}
		if !strings.HasPrefix(m, "WATCHDOG=1") {
			t.Fatalf("%q, want %s", m, line)
		}
	}
	t.Fatalf("no %s", line)
	return ""
}

// logged passes the messages of a log on.
type logged struct {
	slog.Handler
	c chan string
}

func (l logged) Enabled(context.Context, slog.Level) bool { return true }

func (l logged) Handle(_ context.Context, r slog.Record) error {
	select {
	case l.c <- r.Message:
	default:
	}
	return nil
}

// TestTheManagerIsToldHowTheDaemonIs: ready, once the socket answers and not before; a reload, also one that is refused; the stop.
func TestTheManagerIsToldHowTheDaemonIs(t *testing.T) {
	messages := listen(t, "")
	manager := supervisor.Take()
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		if _, ok := os.LookupEnv(name); ok {
			t.Errorf("%s is still in the environment", name)
		}
	}
	const wiring = "handlers: [{name: note, on: a.b, do: log, with: {message: x}}]\n"
	d := daemontest.Start(t, wiring, func(o *daemon.Options) { o.Manager = manager })
	if m := await(t, messages, "READY=1"); !strings.Contains(m, "STATUS=1 handler and 0 schedules of "+d.Config) {
		t.Errorf("%q", m)
	}
	d.Write(t, "handlers: nonsense\n")
	if _, err := d.Reload(t.Context()); err == nil {
		t.Error("the wrong file was taken")
	}
	await(t, messages, "RELOADING=1")
	if m := await(t, messages, "READY=1"); !strings.Contains(m, "; its last reload failed") {
		t.Errorf("%q", m)
	}
	d.Write(t, wiring)
	if _, err := d.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	await(t, messages, "RELOADING=1")
	if m := await(t, messages, "READY=1"); strings.Contains(m, "failed") {
		t.Errorf("%q", m)
	}
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	if m := await(t, messages, "STOPPING=1"); !strings.Contains(m, "\nEXTEND_TIMEOUT_USEC=30000000") {
		t.Errorf("%q", m)
	}
}

// TestTheWatchdogIsFedByTheWriter: while the writer is stuck, the manager hears nothing, and so it would restart the daemon.
func TestTheWatchdogIsFedByTheWriter(t *testing.T) {
	messages := listen(t, "300000")
	manager := supervisor.Take()
	var held atomic.Bool
	gate, log := make(chan struct{}), make(chan string, 1)
	d := daemontest.Start(t, "handlers: [{name: note, on: a.b, do: log, with: {message: x}}]\n", func(o *daemon.Options) {
		o.Manager, o.Log = manager, slog.New(logged{slog.DiscardHandler, log})
		o.Tune = func(s *daemon.StoreOptions) {
			s.SQLite = func(s *sqlite.Options) {
				s.At = func(p sqlite.Point) {
					if p == sqlite.BeforeCommit && held.Load() {
						<-gate
					}
				}
			}
		}
	})
	await(t, messages, "READY=1")
	await(t, messages, "WATCHDOG=1")
	held.Store(true)
	late := func() {
		for m := range log {
			if strings.HasPrefix(m, "the store has not answered in 100ms") {
				return
			}
		}
	}
	late()
	for len(messages) > 0 { // those from before
		<-messages
	}
	late()
	late()
	if len(messages) > 0 {
		t.Errorf("%q while the writer is stuck", <-messages)
	}
	held.Store(false)
	close(gate)
	await(t, messages, "WATCHDOG=1")
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	await(t, messages, "STOPPING=1")
}

// TestTheWatchdogHasPatienceWithWhatMayHoldTheStore: the wiring says for how long, and the manager is told at each reload.
func TestTheWatchdogHasPatienceWithWhatMayHoldTheStore(t *testing.T) {
	messages := listen(t, "60000000")
	manager := supervisor.Take()
	d := daemontest.Start(t, "handlers: [{name: tidy, on: a.b, do: sql, with: {statement: DELETE FROM x, migrate: [CREATE TABLE x (a INTEGER)], hold: 2m}}]\n", func(o *daemon.Options) { o.Manager = manager })
	if m := await(t, messages, "READY=1"); !strings.HasSuffix(m, "\nWATCHDOG_USEC=300000000") {
		t.Errorf("%q", m)
	}
	d.Write(t, "handlers: []\n")
	if _, err := d.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, messages, "RELOADING=1")
	if m := await(t, messages, "READY=1"); !strings.HasSuffix(m, "\nWATCHDOG_USEC=60000000") {
		t.Errorf("%q", m)
	}
}

func TestWithoutAManagerNothingIsSent(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	s := supervisor.Take()
	if s != nil {
		t.Fatal(s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Watch(ctx, nil, nil); err != nil {
		t.Error(err)
	}
	for _, err := range []error{s.Ready("", time.Hour), s.Reloading(), s.Stopping("", 0)} {
		if err != nil {
			t.Error(err)
		}
	}
}

// TestAManagerThatIsGoneIsAnError, and does not hold the daemon up.
func TestAManagerThatIsGoneIsAnError(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if err := supervisor.Take().Ready("x", 0); err == nil {
		t.Error("it was told")
	}
}
