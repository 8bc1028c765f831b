// Package daemontest runs a whole daemon inside the process of a test: the one that `evrun serve` runs, on a wiring file in a directory of
// the test's own. Tests that kill a daemon, or look at its exit code, run the binary instead.
//
//	d := daemontest.Start(t, "handlers: [{name: note, on: a.b, do: log, with: {message: x}}]\n")
//	receipt, err := d.Emit(t.Context(), &events.Event{Type: "a.b", Source: "/test"})
package daemontest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"evrun/cmd/api/apitest"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/cmd/daemon"
	"evrun/cmd/drivers"
)

// Daemon is a running daemon. It is stopped at the end of the test, if not before.
type Daemon struct {
	*client.Client
	Dir    string       // of its own; has evrun.yaml, evrun.db and evrun.sock
	Config string       // the path of the wiring file
	Stop   func() error // stops the daemon and returns the error of Run and Close; it may be called again
}

// Start returns when the daemon's API answers.
func Start(t testing.TB, wiring string, options ...func(*daemon.Options)) *Daemon {
	t.Helper()
	dir := apitest.Dir(t)
	d := &Daemon{Dir: dir, Config: filepath.Join(dir, "evrun.yaml")}
	d.Write(t, wiring)
	load := func() (*config.Config, error) {
		return config.Load(d.Config, config.Options{Getenv: func(string) string { return "" }, Parsers: drivers.Parsers})
	}
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	o := daemon.Options{Load: load}
	for _, set := range options {
		set(&o)
	}
	running, err := daemon.New(t.Context(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		err = running.Run(ctx, func() { close(ready) })
		if cerr := running.Close(); err == nil {
			err = cerr
		}
	}()
	d.Client = client.New(cfg.Settings.Server.Socket)
	stopped := false
	d.Stop = func() error {
		stopped = true
		d.CloseIdleConnections()
		stop()
		<-ended
		return err
	}
	t.Cleanup(func() {
		first := !stopped
		if err := d.Stop(); err != nil && first {
			t.Errorf("the daemon: %v", err)
		}
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("the daemon ended at once: %v", err)
	}
	return d
}

// Write writes the wiring file. The daemon reads it again after a second, or at Reload.
func (d *Daemon) Write(t testing.TB, wiring string) {
	t.Helper()
	if err := os.WriteFile(d.Config, []byte(wiring), 0o600); err != nil {
		t.Fatal(err)
	}
}
