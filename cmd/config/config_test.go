package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"evrun/cmd/config/settings"
	"evrun/cmd/drivers"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fields"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noEnv is an environment without variables.
func noEnv(string) string { return "" }

// write makes a wiring file in its own directory.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evrun.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, text string) *Config {
	t.Helper()
	c, err := Load(write(t, text), Options{Getenv: noEnv, Parsers: drivers.Parsers})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func faults(t testing.TB, err error) []Fault {
	t.Helper()
	var e *Errors
	if !errors.As(err, &e) {
		t.Fatalf("want *Errors, got %v", err)
	}
	return e.Faults
}

// design is the example of the design, without features that don't exist yet.
const design = `
store: evrun.db                 # SQLite file beside this file (later also postgres://…)

server:
  socket: evrun.sock            # control socket, mode 0600

events:                         # optional
  user.registered:
    description: Somebody signed up.

schedules:
  - name: sign-up
    every: 5s                   # or cron: "0 9 * * MON-FRI" | daily: "09:00" | at: 2026-12-24T18:00:00Z
    missed: last                # skip | last | all: what a restart does about slots that passed meanwhile
    emit: user.registered
    data: {name: "Visitor ${ slot.unix }", email: "visitor-${ slot.unix }@example.com"}

handlers:
  - name: save-user
    on: user.registered         # a type, a pattern (user.*, order.>), or a list
    when: data.email contains "@"
    do: user.insert
    with: {name: "${ data.name }", email: "${ data.email }"}
    retry: {attempts: 5, backoff: 1s, max: 1m}
    timeout: 30s
    concurrency: 4
    order_by: data.email        # optional: events with one key run one after the other
    emit: user.created          # on success; its data is the handler's result unless given
  - name: announce
    on: user.created
    do: notify
    with: {message: "New user ${ data.name } <${ data.email }>"}
`

func TestTheDesignsExampleMeansWhatItSays(t *testing.T) {
	c := load(t, design)
	if c.Dir != filepath.Dir(c.Path) || !filepath.IsAbs(c.Path) {
		t.Errorf("path %q, folder %q", c.Path, c.Dir)
	}
	want := settings.Settings{
		Store:  settings.Store{Path: filepath.Join(c.Dir, "evrun.db"), MaxWAL: 4 << 30, Synchronous: "full"},
		Server: settings.Server{Socket: filepath.Join(c.Dir, "evrun.sock"), SocketMode: 0o600, MaxEvent: 1 << 20, Watch: true, MaxConnections: 3000, MaxStreams: 1500},
		Log:    settings.Log{Level: slog.LevelInfo, Format: "auto"}, Grace: 30 * time.Second,
		Retention: settings.Retention{Events: 30 * 24 * time.Hour, Dedupe: 30 * 24 * time.Hour},
		Timezone:  "UTC",
	}
	if !reflect.DeepEqual(c.Settings, want) {
		t.Errorf("settings\ngot  %+v\nwant %+v", c.Settings, want)
	}
	if w := c.Wiring; len(w.Events) != 1 || len(w.Schedules) != 1 || len(w.Handlers) != 2 || len(w.Handlers[0].Emit) != 1 {
		t.Fatalf("%+v", w)
	}
	same := func(what string, got ...any) {
		t.Helper()
		if text := strings.TrimSuffix(fmt.Sprintln(got...), "\n"); text != what {
			t.Errorf("got  %s\nwant %s", text, what)
		}
	}
	for _, e := range c.Wiring.Events {
		same("user.registered Somebody signed up.", e.Type, e.Description)
	}
	s := c.Wiring.Schedules[0]
	same("sign-up last user.registered true", s.Name, s.Missed, s.Type, s.Subject == nil)
	at := time.Date(2026, 12, 24, 18, 0, 1, 0, time.UTC)
	slot, _ := s.Timing.Next(at)
	same("2026-12-24 18:00:05 +0000 UTC", slot)
	data, err := s.Data.Eval(expression.NewSlotEnv(expression.Slot{Time: slot, Number: 1}))
	same(fmt.Sprintf("map[email:visitor-%d@example.com name:Visitor %[1]d] <nil>", slot.Unix()), data, err)

	h := c.Wiring.Handlers[0]
	same("save-user user.insert true [user.registered]", h.Name, h.Kind, h.Action != nil, h.On)
	same("5 1s 1m0s 30s 4 false", h.Retry.Attempts, h.Retry.Backoff, h.Retry.Max, h.Timeout, h.Concurrency, h.FromStart)
	env := expression.NewEnv(&events.Event{Type: "user.registered", Data: []byte(`{"email":"ada@example.com"}`)})
	ok, err := h.When.Bool(env)
	same("true <nil>", ok, err)
	key, err := h.OrderBy.Eval(env)
	same("ada@example.com <nil>", key, err)
	for _, e := range h.Emit {
		same("user.created true true", e.Type, e.Data == nil, e.Subject == nil)
	}
	if h := c.Wiring.Handlers[1]; h.When != nil || h.OrderBy != nil || h.Concurrency != 0 || h.Timeout != 0 || h.Retry.Attempts != 0 || h.Emit != nil {
		t.Errorf("what was left out of announce isn't zero: %+v", h)
	}
}

func TestTheShippedExamplesAreRight(t *testing.T) {
	for _, path := range []string{"../../config.example.yaml", "../starter/full.yaml"} {
		c, err := loadFiles(path)
		if err != nil || len(c.Warnings) > 0 {
			t.Errorf("%s: %v, %v", path, err, c)
		}
	}
}

func TestPayloadKeysKeepTheirCase(t *testing.T) {
	c := load(t, `
schedules:
  - name: a
    every: 5s
    emit: b
    data: {Name: x, userName: {First.Last: 1, ID: 9007199254740993}, "on": [yes, "5", 5, 1.50, 0x10, ~]}
`)
	got, err := c.Wiring.Schedules[0].Data.Eval(expression.NewSlotEnv(expression.Slot{}))
	if err != nil {
		t.Fatal(err)
	}
	want := `map[string]interface {}{"Name":"x", "on":[]interface {}{"yes", "5", 5, 1.5, 16, interface {}(nil)}, "userName":map[string]interface {}{"First.Last":1, "ID":9007199254740993}}`
	if text := fmt.Sprintf("%#v", got); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestAllWaysToWriteASchedule(t *testing.T) {
	c := load(t, `
schedules:
  - {name: a, emit: x, cron: 0 9 * * MON-FRI, timezone: Europe/Paris, missed: skip}
  - {name: b, emit: x, daily: 09:00, weekly: ["MON 10:00"], monthly: last 18:00, missed: all, dst: once}
  - {name: c, emit: x, at: 2026-12-24T18:00:00+01:00, subject: "n ${ slot.number }"}
  - {name: d, emit: x, at: [2026-12-24T18:00:00Z, 2026-12-25T18:00:00Z]}
  - {name: e, emit: x, every: 1d12h, from: 2026-01-01T00:00:00Z, until: 2027-01-01T00:00:00Z, limit: 3, jitter: 10s}
`)
	describe := map[string]string{}
	for _, s := range c.Wiring.Schedules {
		next, ok := s.Timing.Next(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
		describe[s.Name] = fmt.Sprintf("%s %v %s %v", next.Format(time.RFC3339), ok, s.Missed, s.Subject != nil)
	}
	for name, want := range map[string]string{
		"a": "2026-12-01T08:00:00Z true skip false", "b": "2026-12-01T09:00:00Z true all false", "c": "2026-12-24T17:00:00Z true last true",
		"d": "2026-12-24T18:00:00Z true last false", "e": "0001-01-01T00:00:00Z false last false",
	} {
		if got := describe[name]; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestAllWaysToWriteAHandler(t *testing.T) {
	c := load(t, `
handlers:
- name: a.b_c-1
  on: [user.*, order.>, evrun.run.dead]
  do: log
  with: {message: hello}
  from: start
  emit:
  - x.y
  - {type: "x.${ data.kind }", subject: "${ event.id }", data: {Result: "${ result }"}}
  - {type: x.z, data: null}
- {name: b, on: ">", do: log, with: {message: 5}, from: head, emit: {type: q}, when: true, retry: {attempts: 1}}
`)
	h := c.Wiring.Handlers[0]
	if !h.FromStart || len(h.On) != 3 || len(h.Emit) != 3 || h.Emit[1].Subject == nil || h.Emit[1].Data == nil || h.Emit[0].Data != nil || h.Emit[2].Data == nil {
		t.Errorf("%+v", h)
	}
	if h := c.Wiring.Handlers[1]; h.FromStart || len(h.Emit) != 1 || h.When == nil || h.Retry.Attempts != 1 {
		t.Errorf("%+v", h)
	}
}

func TestControlsOfAHandler(t *testing.T) {
	c := load(t, `handlers:
- name: a
  on: b
  do: log
  with: {message: "${ len(events) }"}
  debounce: {wait: 2s, by: data.email, collect: all, max_wait: 1m}
  rate: 100/m
  on_dead: {type: a.dead, data: {why: "${ error }", n: "${ len(events) }"}}
- {name: b, on: b, do: log, with: {message: x}, debounce: 500ms, on_dead: b.dead}
`)
	h := c.Wiring.Handlers[0]
	if d := h.Debounce; d.Wait != 2*time.Second || d.MaxWait != time.Minute || !d.All || d.By.String() != "data.email" {
		t.Errorf("debounce %+v", d)
	}
	if h.Rate != (tasks.Rate{Count: 100, Per: time.Minute}) || h.OnDead.Type.String() != "a.dead" || h.OnDead.Data == nil {
		t.Errorf("%+v", h)
	}
	h = c.Wiring.Handlers[1].WithDefaults()
	if d := h.Debounce; d.Wait != 500*time.Millisecond || d.MaxWait != 5*time.Second || d.All || d.By != nil || h.Rate.Interval() != 0 || h.OnDead.Data != nil {
		t.Errorf("defaults: %+v, debounce %+v", h, d)
	}
}

func TestAFileNeedsNoWiring(t *testing.T) {
	for _, text := range []string{"store: a.db\n", "handlers:\nschedules:\nevents:\n", "\ufeffstore: a.db\r\nstrict_types: false\r\n", "---\nstore: a.db\n...\n"} {
		if _, err := Load(write(t, text), Options{Getenv: noEnv, Parsers: drivers.Parsers}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, bytes.Repeat([]byte("# x\n"), 1<<18+1), 0o600); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(dir, "locked.yaml")
	if err := os.WriteFile(locked, []byte("store: a.db\n"), 0o000); err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		filepath.Join(dir, "none.yaml"):   "no such file",
		filepath.Join(big, "none.yaml"):   "the file can't be read: not a directory",
		dir:                               "not a regular file, but a directory",
		big:                               "the file is over 1 MiB",
		filepath.Join(dir, "a\x00b.yaml"): "the file can't be read: invalid argument",
	}
	if os.Getuid() != 0 {
		tests[locked] = "the file can't be read: permission denied"
	}
	for path, want := range tests {
		_, err := Load(path, Options{Getenv: noEnv, Parsers: drivers.Parsers})
		if f := faults(t, err); len(f) != 1 || f[0].Message != want || f[0].File != path || f[0].Line != 0 {
			t.Errorf("%s: %+v, want %q", path, f, want)
		}
	}
}

func TestDurationsAndSizes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5s": 5 * time.Second, "1h30m": 90 * time.Minute, "30d": 30 * 24 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "250ms": 250 * time.Millisecond,
		"5": 0, "": 0, "d": 0, "5 s": 0, "-5s": 0, "0s": 0, "1h1d": 0, "1d-2h": 0, "999999d": 0, "5sec": 0, "1.5": 0, "1d1d": 0,
	} {
		var k struct {
			Value time.Duration `key:"value" doc:"D."`
		}
		faults := fields.Decode(&k, map[string]any{"value": text}, fields.Options{})
		if (faults == nil) != (want > 0) || faults == nil && k.Value != want {
			t.Errorf("%q: %v, %v; want %v", text, k.Value, faults, want)
		}
	}
	for text, want := range map[string]fields.Size{
		"1MiB": 1 << 20, "512KiB": 512 << 10, "1.5MB": 1_500_000, "2048B": 2048, "1 MiB": 1 << 20, "2kb": 2000,
		"1024": 0, "": 0, "1Mi": 0, "B": 0, "-1MiB": 0, "1B": 0, "1GiB": 0, "999999999999GiB": 0,
	} {
		var k struct {
			Value fields.Size `key:"value" min:"1KiB" max:"64MiB" doc:"D."`
		}
		faults := fields.Decode(&k, map[string]any{"value": text}, fields.Options{})
		if (faults == nil) != (want > 0) || faults == nil && k.Value != want {
			t.Errorf("%q: %v, %v; want %v", text, k.Value, faults, want)
		}
	}
}
