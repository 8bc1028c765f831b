package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/capture"
	"evrun/tasks/expression"
)

// with makes inputs, of a list of names and values.
func with(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// argv is a command's list.
func argv(args ...any) []any { return args }

// runExec runs the kind exec once, in dir.
func runExec(t testing.TB, dir string, inputs map[string]any, data string) (any, error) {
	t.Helper()
	return build[tasks.Outside](t, "exec", inputs, Deps{BaseDir: dir}).Do(t.Context(), delivery(data))
}

// isPermanent reports whether a run with this error is dead at once.
func isPermanent(err error) bool {
	permanent := reflect.TypeOf(tasks.Permanent(errors.New("")))
	for ; err != nil; err = errors.Unwrap(err) {
		if reflect.TypeOf(err) == permanent {
			return true
		}
	}
	return false
}

func TestTheEventIsOnStdin(t *testing.T) {
	result, err := runExec(t, t.TempDir(), with("command", argv("cat"), "result", "text"), `{"name":"Ada","n":9007199254740993}`)
	if err != nil {
		t.Fatal(err)
	}
	var e events.Event
	if err := e.UnmarshalJSON([]byte(result.(string))); err != nil || e.ID != "e1" || e.Type != "user.registered" || string(e.Data) != `{"name":"Ada","n":9007199254740993}` {
		t.Errorf("%s: %+v, %v", result, e, err)
	}
	// A shell's read needs the end of the line.
	if result, err := runExec(t, t.TempDir(), with("shell", "read -r line && echo ok"), `{}`); err != nil || result != "ok" {
		t.Errorf("%v, %v", result, err)
	}
}

func TestStdinOfChoice(t *testing.T) {
	for _, test := range []struct{ stdin, want any }{
		{"Hello ${ data.name }", "Hello Ada"},
		{"${ data }", `{"html":"<b>","n":9007199254740993,"name":"Ada"}`},
		{map[string]any{"to": "${ data.name }"}, `{"to":"Ada"}`},
		{nil, ""},
		{"", ""},
		{"${ data.big }", strings.Repeat("x", 200_000)},
	} {
		data := `{"name":"Ada","n":9007199254740993,"html":"<b>"}`
		if test.stdin == "${ data.big }" {
			data = `{"big":"` + test.want.(string) + `"}`
			test.want = "200000"
		}
		script := "cat"
		if test.want == "200000" {
			script = "wc -c | tr -d ' '"
		}
		if result, err := runExec(t, t.TempDir(), with("shell", script, "stdin", test.stdin, "result", "text"), data); err != nil || result != test.want {
			t.Errorf("%v: %v, %v; want %v", test.stdin, result, err, test.want)
		}
	}
}

func TestACommandNeedNotReadItsStdin(t *testing.T) {
	if _, err := runExec(t, t.TempDir(), with("command", argv("true")), `"`+strings.Repeat("x", 1<<20)+`"`); err != nil {
		t.Error(err)
	}
}

func TestTheEnvironmentIsExplicit(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "s3cret-token")
	t.Setenv("HOME", "/home/somebody")
	t.Setenv("PATH", "/usr/bin:/bin")
	result, err := runExec(t, t.TempDir(), with("command", argv("/usr/bin/env"), "env", with("GREETING", "Hello ${ data.name }\n!")), `{"name":"Ada"}`)
	if err != nil {
		t.Fatal(err)
	}
	want := `EVRUN_ATTEMPT=1
EVRUN_EVENT_ID=e1
EVRUN_EVENT_SEQ=7
EVRUN_EVENT_SOURCE=/test
EVRUN_EVENT_SUBJECT=
EVRUN_EVENT_TIME=0001-01-01T00:00:00Z
EVRUN_EVENT_TYPE=user.registered
EVRUN_HANDLER=h
EVRUN_RUN_ID=7-h-abcdefgh
GREETING=Hello Ada
!
HOME=/home/somebody
PATH=/usr/bin:/bin`
	if result != want {
		t.Errorf("%v\nwant\n%s", result, want)
	}
}

func TestTheProgramIsFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"bin/hello": "#!/bin/sh\necho \"$0 in $PWD\"\n", "text": "hello\n", "noshebang": "echo hello\n", "odd": "#!/nowhere/sh\n",
		"crlf": "#!/bin/sh\r\necho hello\r\n", "envcrlf": "#!/usr/bin/env sh\r\necho hello\r\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o700)
		if name == "text" {
			mode = 0o600
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	hello := filepath.Join(dir, "bin/hello")
	for _, test := range []struct {
		inputs map[string]any
		want   string
	}{
		{with("command", argv("bin/hello")), hello + " in " + dir},
		{with("command", "bin/hello"), hello + " in " + dir},
		{with("command", argv("./bin/hello"), "dir", "bin"), hello + " in " + dir + "/bin"},
		{with("command", argv("hello"), "env", with("PATH", "bin:"+dir+"/bin")), hello + " in " + dir},
		{with("command", argv(hello), "dir", "/"), hello + " in /"},
		{with("shell", "pwd", "dir", ".."), filepath.Dir(dir)},
	} {
		if result, err := runExec(t, dir, test.inputs, `{}`); err != nil || result != test.want {
			t.Errorf("%v: %v, %v; want %s", test.inputs, result, err, test.want)
		}
	}

	for _, test := range []struct {
		inputs    map[string]any
		want      string
		permanent bool
	}{
		{with("command", argv("no-such-program")), `there is no program "no-such-program" in PATH (`, true},
		{with("command", argv("no-such-program"), "permanent_exit_codes", []any{}), `there is no program "no-such-program" in PATH (`, false},
		{with("command", argv("hello"), "env", with("PATH", "bin:")), `there is no program "hello" in PATH (bin:); install it, or write its path`, true},
		{with("command", argv("./bin/none")), "there is no program " + dir + "/bin/none", true},
		{with("command", argv("./text")), "start " + dir + "/text: permission denied; is it executable (chmod +x)", true},
		{with("command", argv("./noshebang")), "start " + dir + "/noshebang: it is not a program; a script begins with #!", true},
		{with("command", argv("./odd")), "start " + dir + "/odd: the interpreter that its first line names does not exist", true},
		{with("command", argv("./crlf")), "start " + dir + `/crlf: its first line ends in "\r", which`, true},
		{with("command", argv("./envcrlf")), `exit code 127: its first line ends in "\r", which`, true},
		{with("command", argv("true"), "dir", "none"), "dir: " + dir + "/none is not a directory", false},
		{with("command", argv("true"), "dir", "text"), "dir: " + dir + "/text is not a directory", false},
		{with("shell", "no-such-program"), "exit code 127, which means that a program was not found: ", true},
		{with("shell", "./text"), "exit code 126, which means that a program can't be run: ", true},
	} {
		_, err := runExec(t, dir, test.inputs, `{}`)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || isPermanent(err) != test.permanent {
			t.Errorf("%v: %v (permanent: %v); want %s (%v)", test.inputs, err, isPermanent(err), test.want, test.permanent)
		}
	}
}

func TestAFailureSaysWhy(t *testing.T) {
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprint("line ", i)
	}
	for _, test := range []struct {
		script    string
		want      string
		permanent bool
	}{
		{"exit 3", "exit code 3", false},
		{"echo oh; echo dear >&2; exit 3", "exit code 3: dear", false},
		{"echo oh; exit 3", "exit code 3: oh", false},
		{"printf 'a\\nb\\n\\n' >&2; exit 1", "exit code 1:\na\nb", false},
		{"echo '" + strings.Join(many, "\n") + "' >&2; exit 1", "exit code 1:\n" + strings.Join(many[20:], "\n"), false},
		{"exit 64", "exit code 64", true},
		{"exit 78", "exit code 78", true},
		{"exit 79", "exit code 79", false},
		{"exit 2", "exit code 2", true},
		{"kill -KILL $$", "ended by SIGKILL, which evrun did not send (was memory short?)", false},
		{"echo x >&2; kill -SEGV $$", "ended by SIGSEGV: x", false},
		{"exit 127", "exit code 127, which means that a program was not found", false},
	} {
		_, err := runExec(t, t.TempDir(), with("shell", test.script, "permanent_exit_codes", argv(int64(2), "64-78")), `{}`)
		if err == nil || err.Error() != test.want || isPermanent(err) != test.permanent {
			t.Errorf("%s: %v (permanent: %v); want %s (%v)", test.script, err, isPermanent(err), test.want, test.permanent)
		}
	}
}

func TestStdoutBecomesTheResult(t *testing.T) {
	for _, test := range []struct {
		result, out string
		want        any
	}{
		{"auto", `{"id":9007199254740993,"ok":true}` + "\n", map[string]any{"id": 9007199254740993, "ok": true}},
		{"auto", ` [1,"x"]`, []any{1, "x"}},
		{"auto", "5\n", "5"},
		{"auto", "{nonsense\n", "{nonsense"},
		{"auto", "", ""},
		{"auto", "a\n\n", "a\n"},
		{"auto", "\xff\xfe", "\uFFFD"},
		{"json", "5\n", 5},
		{"json", `"x"`, "x"},
		{"json", "null", nil},
		{"text", `{"a":1}` + "\r\n", `{"a":1}`},
		{"none", `{"a":1}`, nil},
	} {
		got, err := runExec(t, t.TempDir(), with("command", argv("cat"), "stdin", test.out, "result", test.result), `{}`)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s of %q: %#v, %v; want %#v", test.result, test.out, got, err, test.want)
		}
	}
	for out, want := range map[string]string{
		"hello": "result: stdout is not JSON: ",
		"":      "result: stdout is not JSON: ",
		`"` + strings.Repeat("x", capture.Default) + `"`: "result: stdout is 65538 bytes long, and only 65536 are kept",
	} {
		_, err := runExec(t, t.TempDir(), with("command", argv("cat"), "stdin", "${ data.out }", "result", "json"), string(must(json.Marshal(map[string]any{"out": out}))))
		if err == nil || !strings.HasPrefix(err.Error(), want) || !isPermanent(err) {
			t.Errorf("%.20q: %v, want %s", out, err, want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSecretsStayOutOfWhatACommandSays(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "s3cret-token")
	t.Setenv("EVRUN_TEST_PIN", "90071992")
	env := with("TOKEN", `${ env("EVRUN_TEST_TOKEN") }`, "PIN", `${ env("EVRUN_TEST_PIN") }`)
	var log bytes.Buffer
	for _, inputs := range []map[string]any{
		with("shell", `echo "token $TOKEN"`),
		with("shell", `echo "{\"a $TOKEN\":[$PIN,\"$PIN $TOKEN\",1.5]}"`),
		with("shell", `echo "token $TOKEN" >&2; exit 1`),
		with("shell", `yes "token $TOKEN" | head -n 50000`),
		with("shell", `yes "$TOKEN" | tr -d '\n' | head -c 1200000`),
		with("command", argv("/nowhere/x", `--token=${ env("EVRUN_TEST_TOKEN") }`)),
		with("command", argv("true", `${ "-" + env("EVRUN_TEST_TOKEN") }`)),
		with("command", argv("true", `${ env("EVRUN_TEST_TOKEN") + "\u0000" }`)),
		with("command", argv("true", `${ repeat("x", 70) + env("EVRUN_TEST_TOKEN") + "\u0000" }`)),
	} {
		inputs["env"] = env
		deps := Deps{Secrets: &expression.Secrets{}}
		result, err := buildLogging[tasks.Outside](t, "exec", inputs, deps, captured(&log)).Do(t.Context(), delivery(`{}`))
		if said := fmt.Sprint(result, err, log.String()); strings.Contains(said, "s3cre") || strings.Contains(said, "90071992") {
			t.Errorf("%v: %.1000s", inputs, said)
		}
	}
}

func TestARunThatIsOverStartsNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("evrun is stopping"))
	_, err := build[tasks.Outside](t, "exec", with("shell", "touch x"), Deps{BaseDir: dir}).Do(ctx, delivery(`{}`))
	if err == nil || err.Error() != "evrun is stopping" {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); err == nil {
		t.Error("it ran")
	}
}

// BenchmarkExecTrue runs a command that does nothing, and for comparison the same command with os/exec.
func BenchmarkExecTrue(b *testing.B) {
	b.Run("evrun", func(b *testing.B) {
		action := build[tasks.Outside](b, "exec", with("command", argv("true")), Deps{})
		d := delivery(`{"name":"Ada"}`)
		for b.Loop() {
			if _, err := action.Do(b.Context(), d); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("os-exec", func(b *testing.B) {
		for b.Loop() {
			if _, err := exec.Command("true").Output(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
