package cmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"evrun/cmd"
	"evrun/cmd/daemon/daemontest"
)

// surface has a right use of every command that prints something, beside a daemon with an event #1 that succeeded and #2 whose run is dead.
var surface = map[string]struct {
	args   []string
	once   bool // a second time it may have nothing to do, and fail (exit 1)
	noJSON bool // it prints a text for programs
}{
	"backup":            {args: []string{"--force", "backup.db"}},
	"completion":        {args: []string{"bash"}, noJSON: true},
	"demo":              {args: []string{"--pause", "0s"}},
	"doctor":            {},
	"emit":              {args: []string{"order.placed", "-f", "a=b"}},
	"erase":             {args: []string{"--subject", "nobody@example.com", "--yes"}},
	"events list":       {},
	"events show":       {args: []string{"1"}},
	"explain":           {args: []string{"user.registered", "-f", "name=Ada", "-f", "email=ada@example.com"}},
	"fmt":               {},
	"handlers forget":   {args: []string{"nobody"}, once: true},
	"handlers list":     {},
	"handlers pause":    {args: []string{"save-user"}, once: true},
	"handlers resume":   {args: []string{"save-user"}, once: true},
	"handlers show":     {args: []string{"save-user"}},
	"import crontab":    {args: []string{"jobs.cron", "--tz", "UTC"}},
	"import webhook":    {args: []string{"hooks.json"}},
	"init":              {args: []string{"fresh"}, once: true},
	"metrics alerts":    {},
	"migrate":           {args: []string{"--from", "backup.db", "--to", "moved.db"}, once: true},
	"metrics dashboard": {},
	"prune":             {},
	"open":              {args: []string{"--print"}, once: true}, // without a TCP port
	"reload":            {},
	"replay":            {args: []string{"--handler", "save-user", "1"}},
	"restore":           {args: []string{"backup.db", "--yes", "-c", "other.yaml"}},
	"runs cancel":       {args: []string{"2-fail"}, once: true},
	"runs drop":         {args: []string{"2-fail"}, once: true},
	"runs list":         {},
	"runs logs":         {args: []string{"2-fail"}},
	"runs retry":        {args: []string{"2-fail"}, once: true},
	"runs show":         {args: []string{"2-fail"}},
	"hooks list":        {},
	"hooks show":        {args: []string{"github"}},
	"schedules fire":    {args: []string{"nightly"}},
	"schedules list":    {},
	"schedules next":    {args: []string{"-n", "3"}},
	"schedules pause":   {args: []string{"nightly"}},
	"schedules resume":  {args: []string{"nightly"}},
	"schedules show":    {args: []string{"nightly"}},
	"schema":            {},
	"service install":   {args: []string{"--print"}},
	"service uninstall": {args: []string{"--name", "evrun-none"}, once: true},
	"simulate":          {args: []string{"--from", "2027-01-01", "--to", "2027-01-03"}},
	"status":            {},
	"tail":              {args: []string{"--no-follow", "--runs"}},
	"test":              {},
	"token create":      {args: []string{"ci", "--right", "read", "--hash"}},
	"token list":        {},
	"token revoke":      {args: []string{"nobody"}, once: true},
	"users export":      {},
	"users import":      {args: []string{"users.ndjson"}},
	"users list":        {},
	"users show":        {args: []string{"1"}},
	"validate":          {},
	"version":           {},
}

const surfaceWiring = `
handlers:
  - {name: save-user, on: user.registered, do: user.insert, with: {name: "${ data.name }", email: "${ data.email }"}}
  - {name: fail, on: order.placed, do: exec, with: {shell: "echo no room left >&2; exit 1"}, timeout: 1m, retry: {attempts: 1}}
schedules:
  - {name: nightly, daily: "02:30", emit: backup.due}
hooks:
  - {name: github, type: github.push, verify: none}
tests:
  - {name: sign-up, given: [{type: user.registered, data: {name: Ada, email: ada@example.com}}], expect: {users: [{email: ada@example.com}]}}
`

// Every command ends without a word when its reader has enough, prints JSON with -o json, and works on a narrow terminal.
func TestTheSurfaceOfEveryCommand(t *testing.T) {
	t.Parallel()
	d := daemontest.Start(t, surfaceWiring)
	evrun(t, d.Dir, "emit", "user.registered", "-f", "name=Ada", "-f", "email=ada@example.com", "--wait", "-q").wait(t)
	if code, _, stderr := ended(t, d.Dir, nil, "emit", "order.placed", "--wait", "-q"); code != 1 {
		t.Fatalf("no run is dead: exit code %d: %s", code, stderr)
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "users.ndjson"), []byte(`{"email":"alan@example.com"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "jobs.cron"), []byte("0 2 * * * true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "hooks.json"), []byte(`[{"id": "a", "execute-command": "true"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "other.yaml"), []byte("store: other.db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range cmd.Commands() {
		if name == "serve" {
			continue
		}
		x, ok := surface[name]
		if !ok {
			t.Errorf("%s has no line in the test's table", name)
			continue
		}
		args := append(strings.Fields(name), x.args...)
		checked := func(how string, code int, stderr string) {
			t.Helper()
			if code != 0 && (!x.once || code != 1) {
				t.Errorf("%s %s: exit code %d: %s", name, how, code, stderr)
			}
		}

		gone, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		gone.Close()
		code, _, stderr := ended(t, d.Dir, out, args...)
		out.Close()
		if checked("into a closed pipe", code, stderr); strings.Contains(stderr, "pipe") {
			t.Errorf("%s reports the closed pipe: %s", name, stderr)
		}

		if !x.noJSON {
			code, stdout, stderr := ended(t, d.Dir, nil, append(args, "-o", "json")...)
			checked("in JSON", code, stderr)
			for dec := json.NewDecoder(strings.NewReader(stdout)); ; {
				var object map[string]any
				if err := dec.Decode(&object); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Errorf("%s prints invalid JSON: %v: %s", name, err, stdout)
					break
				}
			}
		}

		code, text := onTerminal(t, d.Dir, args...)
		if checked("on a terminal", code, text); strings.ContainsAny(strings.NewReplacer("\r\n", "", "\x1b[", "").Replace(text), "\x07\x08\x1b\u009b") {
			t.Errorf("%s prints raw control characters: %q", name, text)
		}
	}
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
}

// ended runs evrun to its end; a nil out collects its output.
func ended(t *testing.T, dir string, out *os.File, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	c := exec.Command(link(t, dir), args...)
	c.Dir = dir
	var text, notes bytes.Buffer
	c.Stderr = &notes
	if c.Stdout = &text; out != nil {
		c.Stdout = out
	}
	return exitCode(t, c.Run()), text.String(), notes.String()
}

// onTerminal runs evrun on a terminal with 40 columns.
func onTerminal(t *testing.T, dir string, args ...string) (code int, text string) {
	t.Helper()
	c := exec.Command(link(t, dir), args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "TERM=xterm")
	terminal, err := pty.StartWithSize(c, &pty.Winsize{Rows: 20, Cols: 40})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	all, err := io.ReadAll(terminal)
	if err != nil && !errors.Is(err, syscall.EIO) { // how Linux says that the last program has closed it
		t.Error(err)
	}
	return exitCode(t, c.Wait()), string(all)
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}
