package browsertest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api/apitest"
	"evrun/cmd/api/client"
	"evrun/events"
)

// daemon is `evrun serve` as a process of its own. Its port stays the same when it is started again.
type daemon struct {
	*client.Client
	t     testing.TB
	dir   string
	url   string
	token string // the owner's
	cmd   *exec.Cmd
	log   *bytes.Buffer
	ended chan struct{}
}

// serve starts a daemon. In the wiring, LISTEN stands for its address.
func serve(t testing.TB, wiring string) *daemon {
	t.Helper()
	dir := apitest.Dir(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // a free port; it is free again when the daemon asks for it
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	d := &daemon{t: t, dir: dir, url: "http://" + address}
	d.wire(strings.ReplaceAll(wiring, "LISTEN", address))
	bin, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(bin, filepath.Join(dir, daemonName)); err != nil {
		t.Fatal(err)
	}
	d.Client = client.New(filepath.Join(dir, "evrun.sock"))
	d.start()
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			text := d.log.String()
			t.Logf("the daemon's log:\n%s", text[max(0, len(text)-3000):])
		}
	})
	token, err := os.ReadFile(filepath.Join(dir, "evrun.token"))
	if err != nil {
		t.Fatal(err)
	}
	d.token = strings.TrimSpace(string(token))
	return d
}

// wire writes the wiring file.
func (d *daemon) wire(wiring string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, "evrun.yaml"), []byte(wiring), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// start returns when the daemon answers.
func (d *daemon) start() {
	d.t.Helper()
	d.log, d.ended = new(bytes.Buffer), make(chan struct{})
	d.cmd = exec.Command(filepath.Join(d.dir, daemonName), "serve")
	d.cmd.Dir, d.cmd.Stderr = d.dir, d.log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait() // the state has its error
		close(d.ended)
	}()
	d.until("the daemon is ready", func() (bool, string) {
		select {
		case <-d.ended:
			d.t.Fatalf("the daemon has ended: %v\n%s", d.cmd.ProcessState, d.log)
		default:
		}
		err := d.Ping(context.Background())
		return err == nil, fmt.Sprint(err)
	})
}

// kill ends the daemon as a crash does.
func (d *daemon) kill() {
	d.CloseIdleConnections()
	_ = d.cmd.Process.Kill()
	<-d.ended
}

// until calls ask until it returns true; its text says what is missing.
func (d *daemon) until(what string, ask func() (bool, string)) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) { // another process
		ok, missing := ask()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("it never came that %s: %s", what, missing)
		}
	}
}

// emit publishes an event, and returns its number.
func (d *daemon) emit(typ, data string, change ...func(*events.Event)) int64 {
	d.t.Helper()
	e := &events.Event{Type: typ, Source: "/shop/web"}
	if data != "" {
		e.Data = []byte(data)
	}
	for _, set := range change {
		set(e)
	}
	receipt, err := d.Emit(context.Background(), e)
	if err != nil {
		d.t.Fatalf("emit %s: %v", typ, err)
	}
	return receipt.Sequence
}

// settled waits until no handler has anything to do. those aside are not waited for.
func (d *daemon) settled(aside ...string) {
	d.t.Helper()
	d.until("all runs have ended", func() (bool, string) {
		status, err := d.Status(context.Background())
		if err != nil {
			return false, err.Error()
		}
		for _, h := range status.Handlers {
			waiting := h.Waiting
			if !slices.Contains(aside, h.Name) && (waiting == nil || *waiting > 0 || h.Running+h.Retrying > 0) {
				return false, fmt.Sprintf("%s: %d run, %d are retried, or some wait", h.Name, h.Running, h.Retrying)
			}
		}
		return true, ""
	})
}
