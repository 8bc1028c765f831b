package daemon_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"evrun/cmd/api"
	"evrun/cmd/config"
	"evrun/cmd/daemon"
	"evrun/cmd/daemon/daemontest"
	"evrun/events"
	"evrun/store"
)

// All goroutines of a daemon end with Run.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const note = "handlers:\n  - {name: note, on: job, do: log, with: {message: x}}\n"

// follow publishes an event, and returns the states of each handler's runs in its chain.
func follow(t *testing.T, d *daemontest.Daemon, typ string) (states map[string][]string, end api.End) {
	t.Helper()
	states = map[string][]string{}
	end, err := d.EmitWait(t.Context(), &events.Event{Type: typ, Source: "/test"}, time.Minute, func(api.Receipt) error { return nil }, func(kind string, body json.RawMessage) error {
		if kind == "run" {
			var r api.Run
			if err := json.Unmarshal(body, &r); err != nil {
				return err
			}
			states[r.Handler] = append(states[r.Handler], r.State)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return states, end
}

func TestAStoppedDaemonLeavesNothingButItsStore(t *testing.T) {
	d := daemontest.Start(t, note)
	if states, end := follow(t, d, "job"); end.Dead || strings.Join(states["note"], " ") != "succeeded" {
		t.Errorf("%v, %+v", states, end)
	}
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(d.Dir + "/evrun.sock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket: %v", err)
	}
	if daemon.Recall(d.Config) != nil {
		t.Error("its address is still noted")
	}
	if _, err := d.Status(t.Context()); !errors.Is(err, api.ErrNoDaemon) {
		t.Errorf("status: %v", err)
	}
}

func TestASecondDaemonIsRefusedTheStore(t *testing.T) {
	d := daemontest.Start(t, note)
	cfg, err := config.Load(d.Config, config.Options{Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := daemon.New(t.Context(), cfg, daemon.Options{}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("%v", err)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Errorf("the first one: %v", err)
	}
}

func TestAPartThatFailsStopsTheDaemon(t *testing.T) {
	d := daemontest.Start(t, note)
	if _, err := d.Status(t.Context()); err != nil { // by now the scheduler and the runner have read the store
		t.Fatal(err)
	}
	if err := os.Rename(d.Dir+"/evrun.db", d.Dir+"/away"); err != nil {
		t.Fatal(err)
	}
	for { // until the store notices
		if err := d.Ping(t.Context()); errors.Is(err, api.ErrNoDaemon) {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("the daemon goes on")
		}
	}
	if err := d.Stop(); !errors.Is(err, store.ErrReplaced) || !strings.HasPrefix(err.Error(), "store: ") {
		t.Errorf("%v", err)
	}
}

// A wrong file changes nothing; a valid one changes everything at once, and reading it again changes nothing.
func TestAReloadTakesAllOfAFileOrNothing(t *testing.T) {
	d := daemontest.Start(t, "server: {watch: false}\n"+note)
	d.Write(t, "server: {watch: false}\nhandlers:\n  - {name: other, on: job, do: log, with: {message: x}}\n  - {name: wrong, on: job, do: nothing}\n")
	var p *api.Problem
	if _, err := d.Reload(t.Context()); !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity || len(p.Faults) == 0 {
		t.Errorf("a wrong file: %v", err)
	}
	if states, _ := follow(t, d, "job"); len(states["note"]) != 1 || len(states["other"]) != 0 {
		t.Errorf("after it: %v", states)
	}
	d.Write(t, "server: {watch: false}\nhandlers:\n  - {name: other, on: job, do: log, with: {message: x}}\n")
	done, err := d.Reload(t.Context())
	if err != nil || strings.Join(done.Handlers.Added, " ") != "other" || strings.Join(done.Handlers.Removed, " ") != "note" {
		t.Errorf("%+v, %v", done, err)
	}
	if states, _ := follow(t, d, "job"); len(states["note"]) != 0 || len(states["other"]) != 1 {
		t.Errorf("after a right file: %v", states)
	}
	if done, err := d.Reload(t.Context()); err != nil || !done.None() {
		t.Errorf("again: %+v, %v", done, err)
	}
}
