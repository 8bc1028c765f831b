package cmd_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/events"
)

// The data of evrun's own events is as the reference describes it: no member is left out but those that may be, and none is undescribed.
func TestEvrunsOwnEventsAreAsDescribed(t *testing.T) {
	t.Parallel()
	keep := `
server: {watch: false}
schedules:
  - {name: nightly, daily: "02:30", emit: backup.due, paused: false}
handlers:
  - {name: fail, on: order.placed, do: exec, with: {shell: "exit 3"}, timeout: 1m, retry: {attempts: 1}}
  - {name: slow, on: order.slow, do: exec, with: {shell: "exit 1"}, timeout: 1m, retry: {attempts: 2, backoff: 1h, max: 1h}}
  - {name: boot, on: evrun.started, do: log, with: {message: x}}
  - {name: note, on: backup.due, do: log, with: {message: x}}
`
	gone := "  - {name: gone, on: order.kept, do: log, with: {message: x}}\n  - {name: lost, on: order.kept, do: log, with: {message: x}}\n"
	dir := wired(t, keep+gone)
	path := filepath.Join(dir, "evrun.yaml")
	d := serve(t, dir, nil)
	d.ready(t)
	run := func(want int, args ...string) {
		t.Helper()
		if code, stdout, stderr := ended(t, dir, nil, args...); code != want {
			t.Fatalf("evrun %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := func(run, state string) {
		t.Helper()
		eventuallyTrue(t, run+" is "+state, func() (bool, string) {
			_, stdout, _ := ended(t, dir, nil, "runs", "list", "-o", "json", "--handler", run, "--state", state)
			return strings.Contains(stdout, `"state"`), stdout
		})
	}
	runOf := func(handler string, nth int) (id, seq string) { // from the newest on
		t.Helper()
		_, stdout, _ := ended(t, dir, nil, "runs", "list", "-o", "json", "--handler", handler)
		var r struct{ ID, Seq string }
		if lines := strings.Split(stdout, "\n"); len(lines) <= nth || json.Unmarshal([]byte(lines[nth]), &r) != nil {
			t.Fatalf("the runs of %s are %s", handler, stdout)
		}
		return r.ID, r.Seq
	}
	day := time.Now().UTC().AddDate(0, 0, -3).Format(time.DateOnly)

	run(1, "emit", "order.placed", "-f", "a=b", "--wait")
	run(1, "emit", "order.placed", "-f", "a=c", "--wait")
	state("fail", "dead")
	run(0, "emit", "order.slow")
	state("slow", "retrying")
	slow, _ := runOf("slow", 0)
	second, seq := runOf("fail", 0)
	first, _ := runOf("fail", 1)
	run(0, "runs", "cancel", slow, "--reason", "no time")
	run(0, "runs", "retry", "--handler", "slow", "--state", "cancelled", "--yes")
	state("slow", "retrying")
	run(0, "runs", "retry", slow)
	run(0, "runs", "retry", first, "-f", "a=d", "--yes")
	run(0, "runs", "drop", second)
	run(0, "replay", "--handler", "fail", "--again", seq)
	run(0, "schedules", "fire", "nightly")
	run(0, "schedules", "fire", "nightly", "--from", day, "--yes")
	run(0, "schedules", "pause", "nightly")
	run(0, "schedules", "resume", "nightly")
	run(0, "handlers", "pause", "note", "--reason", "for a test")
	run(0, "handlers", "resume", "note")
	run(0, "handlers", "pause", "gone")
	run(0, "handlers", "pause", "lost")
	run(0, "emit", "order.kept")
	run(0, "handlers", "resume", "gone", "--from", "now")
	write("users.ndjson", `{"name":"Ada","email":"ada@example.com"}`+"\n")
	run(0, "users", "import", "users.ndjson")
	run(0, "token", "create", "shop", "--right", "emit order.>", "--rate", "100/s", "--expires", "1d")
	run(0, "token", "revoke", "shop")
	write("evrun.yaml", keep)
	run(0, "reload")
	run(0, "handlers", "forget", "lost")
	write("evrun.yaml", "handlers: 7\n")
	run(78, "reload")
	write("evrun.yaml", keep)
	run(0, "backup", filepath.Join(dir, "backup.db"))
	d.stop(t)
	run(0, "restore", filepath.Join(dir, "backup.db"), "--yes")

	code, stdout, stderr := ended(t, dir, nil, "events", "list", "evrun.>", "-n", "1000", "-o", "json", "-c", path)
	if code != 0 {
		t.Fatal(stderr)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(stdout) {
		var e struct {
			Type string
			Data map[string]any
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		seen[e.Type] = true
		asDescribed(t, e.Type, e.Data)
	}
	rare := map[string]string{
		events.TypeScheduleMissed:    "a slot is missed after a minute",
		events.TypeHandlerPaused:     "a handler returns late after an hour",
		events.TypeAuditEventsPruned: "an event is old enough after an hour",
	}
	for _, own := range events.OwnTypes() {
		if !seen[own.Type] && rare[own.Type] == "" {
			t.Errorf("nothing has caused %s", own.Type)
		}
	}
}

// asDescribed compares the data of an event with the description of its type.
func asDescribed(t *testing.T, typ string, data map[string]any) {
	t.Helper()
	for _, own := range events.OwnTypes() {
		if own.Type != typ {
			continue
		}
		left := map[string]bool{}
		for name := range data {
			left[name] = true
		}
		for _, m := range own.Data {
			v, ok := data[m.Name]
			if !ok && !m.Some {
				t.Errorf("%s has no %s: %v", typ, m.Name, data)
			}
			if ok && !isOfType(v, m.Type) {
				t.Errorf("%s of %s is not a %s: %v", m.Name, typ, m.Type, v)
			}
			delete(left, m.Name)
		}
		for name := range left {
			t.Errorf("%s has %s, which events/own_data.go does not describe: %v", typ, name, data[name])
		}
	}
}

func isOfType(v any, typ string) bool {
	switch v := v.(type) {
	case string:
		_, err := time.Parse(time.RFC3339Nano, v)
		return typ == "text" || typ == "time" && err == nil
	case float64:
		return typ == "number"
	case bool:
		return typ == "true/false"
	case []any:
		return strings.HasPrefix(typ, "list")
	case map[string]any:
		return typ == "map"
	}
	return false
}
