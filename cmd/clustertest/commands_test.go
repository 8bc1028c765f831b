package clustertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// evrun runs a command in a directory, and returns its standard output. It must end with the code.
func (w *world) evrun(dir string, code int, args ...string) string {
	w.t.Helper()
	out, _ := w.evrunSays(dir, code, args...)
	return out
}

// evrunSays is evrun with what was printed on the standard error, too.
func (w *world) evrunSays(dir string, code int, args ...string) (out, said string) {
	w.t.Helper()
	bin, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	link := filepath.Join(dir, daemonName)
	if _, err := os.Lstat(link); err != nil {
		if err := os.Symlink(bin, link); err != nil {
			w.t.Fatal(err)
		}
	}
	cmd := exec.Command(link, args...)
	var printed, errors bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &printed, &errors
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != code {
		w.t.Errorf("evrun %s: %v\n%s%s", strings.Join(args, " "), err, printed.String(), errors.String())
	}
	return printed.String(), errors.String()
}

// lines reads NDJSON.
func (w *world) lines(text string) (list []map[string]any) {
	w.t.Helper()
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			w.t.Fatalf("%v in %s", err, text)
		}
		list = append(list, line)
	}
	return list
}

// Commands work from a machine that has no daemon, and on each daemon's they see what the others do.
func TestCommandsFromAnyMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("a proof with daemons of its own: runs without -short")
	}
	t.Parallel() // it waits most of the time
	w := cluster(t)
	away := t.TempDir()
	text, err := os.ReadFile(filepath.Join(w.nodes[0].dir, "evrun.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(away, "evrun.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	dirs := []string{away, w.nodes[0].dir, w.nodes[1].dir, w.nodes[2].dir}
	for i, dir := range dirs {
		w.evrun(dir, 0, "emit", "load.event", "-f", fmt.Sprintf("key=k%d", i), "-F", "n:=1", "--id", fmt.Sprint("e", i), "--source", "/proof")
	}
	w.until("each event has its effect", func() (bool, string) {
		n := w.number(`SELECT count(DISTINCT id) FROM effects`)
		return n == int64(len(dirs)), fmt.Sprint(n)
	})
	for _, dir := range dirs {
		if list := w.lines(w.evrun(dir, 0, "events", "list", "--type", "load.event", "-o", "json")); len(list) != len(dirs) {
			t.Errorf("%s: %d events, want %d", dir, len(list), len(dirs))
		}
		if list := w.lines(w.evrun(dir, 0, "runs", "list", "--handler", "record", "--state", "succeeded", "-o", "json")); len(list) != len(dirs) {
			t.Errorf("%s: %d runs, want %d", dir, len(list), len(dirs))
		}
	}
	// A daemon follows what the others do with its event.
	for i, dir := range dirs[1:] {
		out := w.evrun(dir, 0, "emit", "load.event", "-f", fmt.Sprintf("key=w%d", i), "-F", "n:=1", "--id", fmt.Sprint("w", i), "--source", "/proof", "--wait=60s", "-o", "json")
		if !strings.Contains(out, `"succeeded"`) {
			t.Errorf("%s: %s", dir, out)
		}
	}
	// Somebody pauses the handler from a machine without a daemon: none of the daemons runs it, until it is resumed on another machine.
	w.evrun(away, 0, "handlers", "pause", "record", "--reason", "a proof")
	w.until("all daemons have paused the handler", func() (bool, string) {
		for _, n := range w.nodes {
			if out := w.evrun(n.dir, 0, "handlers", "show", "record", "-o", "json"); !strings.Contains(out, `"paused"`) {
				return false, out
			}
		}
		return w.number(`SELECT count(*) FROM evrun.shares s JOIN evrun.handlers h ON h.id = s.handler WHERE h.name = 'record' AND s.node IS NOT NULL`) == 0, "it has slots"
	})
	before := w.number(`SELECT count(*) FROM effects`)
	w.evrun(w.nodes[1].dir, 0, "emit", "load.event", "-f", "key=p", "-F", "n:=1", "--id", "p", "--source", "/proof")
	w.evrun(w.nodes[2].dir, 0, "emit", "load.tick", "-F", "slot:=1", "--wait=60s", "-o", "json") // another handler goes on
	if after := w.number(`SELECT count(*) FROM effects`); after != before {
		t.Errorf("a paused handler has run: %d effects, were %d", after, before)
	}
	w.evrun(w.nodes[0].dir, 0, "handlers", "resume", "record")
	w.until("the handler goes on", func() (bool, string) {
		return w.number(`SELECT count(*) FROM effects WHERE id = 'p'`) == 1, "no effect"
	})
	// A run that died on one machine is retried from another.
	status := w.evrun(away, 0, "status", "-o", "json")
	for _, n := range w.nodes {
		if !strings.Contains(status, n.name) {
			t.Errorf("status does not name %s: %s", n.name, status)
		}
	}
}
