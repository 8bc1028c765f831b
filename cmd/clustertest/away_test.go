package clustertest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A machine without a daemon follows what the daemons elsewhere do, by the store that they share.
func TestFollowingFromAMachineWithoutADaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("a proof with daemons of its own: runs without -short")
	}
	t.Parallel() // it waits most of the time
	s := server(t)
	s.Exec(t, "postgres", "CREATE DATABASE proof")
	w := newWorld(t, s.DSN("proof"))
	for i := range 2 {
		w.add(fmt.Sprint("node", i), s.DSN("proof"), "").rewire("schedules:", `
  - {name: first, on: load.first, do: emit, with: {type: load.event, data: "${ data }"}}
  - {name: talk, on: load.talk, do: exec, with: {command: [sh, -c, "echo hello; sleep 1; echo again"]}}
  - {name: slow, on: load.slow, do: exec, with: {command: [sleep, "300"]}}
schedules:`)
	}
	away := t.TempDir()
	text, err := os.ReadFile(filepath.Join(w.nodes[0].dir, "evrun.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(away, "evrun.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	has := func(what, text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %s in\n%s", what, part, text)
			}
		}
	}
	_, said := w.evrunSays(away, 124, "emit", "load.event", "-d", `{"key":"k","n":1}`, "--id", "early", "--source", "/proof", "--wait=1s")
	has("no daemon anywhere", said, "no daemon shares postgres://")

	for _, n := range w.nodes {
		n.start()
	}
	for _, n := range w.nodes {
		n.ready()
	}
	out := w.evrun(away, 0, "emit", "load.first", "-d", `{"key":"k","n":2}`, "--id", "first", "--source", "/proof", "--wait=60s", "-o", "json")
	has("a chain", out, `"load.first"`, `"load.event"`, `"record"`, `"succeeded"`)
	w.evrun(away, 4, "emit", "load.nobody", "--wait=60s")
	has("a schedule", w.evrun(away, 0, "schedules", "fire", "tick", "--wait=60s", "-o", "json"), `"load.tick"`, `"record-ticks"`, `"succeeded"`)
	has("a replay", w.evrun(away, 0, "replay", "early", "--handler", "record", "--wait=60s", "-o", "json"), `"replayof"`, `"succeeded"`)

	w.evrun(away, 0, "emit", "load.talk", "--id", "talk", "--source", "/proof")
	w.until("the run is known", func() (bool, string) {
		list := w.lines(w.evrun(away, 0, "runs", "list", "--handler", "talk", "-o", "json"))
		return len(list) == 1, fmt.Sprint(list)
	})
	has("a log", w.evrun(away, 0, "runs", "logs", "--follow", "talk"), "hello\nagain\n")

	w.evrun(away, 0, "emit", "load.slow", "--id", "slow", "--source", "/proof")
	run := ""
	w.until("the command runs", func() (bool, string) {
		list := w.lines(w.evrun(away, 0, "runs", "list", "--handler", "slow", "--state", "running", "-o", "json"))
		if len(list) == 1 {
			run = list[0]["id"].(string)
		}
		return run != "", fmt.Sprint(list)
	})
	has("a cancelled run", w.evrun(away, 0, "runs", "cancel", run, "--wait=60s"), run+" is cancelled")
	w.followed(away)
}

// followed proves that a tail in a directory misses no event and no run.
func (w *world) followed(dir string) {
	w.t.Helper()
	var out, said lockedBuffer
	tail := exec.Command(filepath.Join(dir, daemonName), "tail", "--type", "load.event", "--runs", "-n", "0", "-o", "json")
	tail.Dir, tail.Stdout, tail.Stderr = dir, &out, &said
	if err := tail.Start(); err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		_ = tail.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = tail.Wait()                          // the signal is its error
	}()
	w.until("the tail follows", func() (bool, string) {
		return strings.Contains(said.String(), "no daemon is running here: following"), said.String()
	})
	const total = 300
	for _, n := range w.nodes {
		var lines bytes.Buffer
		for i := range total / len(w.nodes) {
			fmt.Fprintf(&lines, `{"type":"load.event","source":"/tail","id":"%s-%d","data":{"key":"k%d","n":%d}}`+"\n", n.name, i, i%7, i)
		}
		if err := os.WriteFile(filepath.Join(n.dir, "lines.ndjson"), lines.Bytes(), 0o600); err != nil {
			w.t.Fatal(err)
		}
		w.evrun(n.dir, 0, "emit", "--ndjson", "lines.ndjson")
	}
	w.until("the tail has all events, and their runs", func() (bool, string) {
		text := out.String()
		evs, runs := strings.Count(text, `{"event":`), strings.Count(text, `"succeeded"`)
		return evs == total && runs == total, fmt.Sprintf("%d events, %d runs; %s\n%.600s", evs, runs, said.String(), text)
	})
}
