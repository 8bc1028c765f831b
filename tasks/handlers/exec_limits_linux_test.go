package handlers

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// limited runs a script under limits.
func limited(t *testing.T, limits map[string]any, script string, more map[string]any) (string, error) {
	t.Helper()
	with := map[string]any{"shell": script, "limits": limits}
	for name, value := range more {
		with[name] = value
	}
	out, err := build[*command](t, "exec", with, Deps{Secrets: new(expression.Secrets)}).Do(context.Background(), delivery(`{}`))
	text, _ := out.(string)
	return text, err
}

func TestACommandHasItsLimitsFromItsFirstInstructionOn(t *testing.T) {
	got, err := limited(t, map[string]any{"memory": "64MiB", "cpu": "7s", "files": int64(33)},
		`cat /proc/self/limits; ls /proc/self/fd | wc -l; grep SigIgn /proc/$$/status; tr '\0' '\n' </proc/$$/environ | grep -c EVRUN_RUN_ID`, nil)
	if err != nil {
		t.Fatal(err)
	}
	got = strings.Join(strings.Fields(got), " ")
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "SigIgn:")
	ignored := strings.Fields(after)[0] // what these tests were started with: under nohup, SIGHUP
	for _, want := range []string{
		"Max data size 67108864 67108864 bytes", "Max cpu time 7 12 seconds", "Max open files 33 33 files", " 4 SigIgn: " + ignored + " 1",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	// Without a limit, what evrun was started with stays.
	var open syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &open); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &open)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: open.Max / 2, Max: open.Max}); err != nil {
		t.Fatal(err)
	}
	before, err := limited(t, map[string]any{}, `ulimit -Sn; ulimit -Hn; ulimit -d`, nil)
	if err != nil {
		t.Fatal(err)
	}
	after, err = limited(t, map[string]any{"cpu": "9s"}, `ulimit -Sn; ulimit -Hn; ulimit -d`, nil)
	if err != nil || before != after {
		t.Errorf("%q without limits, %q with one of cpu: %v", before, after, err)
	}
}

// What sets the limits is a program in Go, which needs memory for what it passes on.
func TestMuchIsPassedOnUnderALimitOfMemory(t *testing.T) {
	words := []any{"/bin/true"}
	for range 14 {
		words = append(words, strings.Repeat("a", 120_000))
	}
	c := build[*command](t, "exec", map[string]any{"command": words, "limits": map[string]any{"memory": "1MiB"}}, Deps{})
	for range 10 {
		if _, err := c.Do(context.Background(), delivery(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACommandOverALimitSaysSo(t *testing.T) {
	for _, test := range []struct {
		limits       map[string]any
		script, want string
	}{
		{map[string]any{"cpu": "1s"}, `while :; do :; done`, "killed: more than cpu 1s (under the limits cpu 1s)"},
		{map[string]any{"cpu": "1s"}, `sh -c 'while :; do :; done'; exit $?`, "killed: more than cpu 1s"},
		{map[string]any{"cpu": "1s"}, `trap "" XCPU; while :; do :; done`, "killed: more than cpu 1s"},
		{map[string]any{"memory": "16MiB"}, `x=x; while :; do x=$x$x$x$x; done`, "under the limits memory 16MiB"},
		{map[string]any{"files": int64(8)}, `exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null 8</dev/null`, "under the limits files 8"},
	} {
		_, err := limited(t, test.limits, test.script, map[string]any{"kill_after": "1s"})
		if err == nil || !strings.Contains(err.Error(), test.want) || isPermanentError(err) {
			t.Errorf("%s: %v, want %s", test.script, err, test.want)
		}
	}
	// A user's processes are counted, whoever started them.
	if os.Geteuid() == 0 {
		with := map[string]any{"user": "65534:65534", "dir": "/"}
		if _, err := limited(t, map[string]any{"processes": int64(3)}, `for i in 1 2 3 4; do sleep 60 & done; wait`, with); err == nil || !strings.Contains(err.Error(), "under the limits processes 3") {
			t.Errorf("got %v", err)
		}
	}
}

func TestAProgramThatIsMissingIsReportedUnderLimitsToo(t *testing.T) {
	script := t.TempDir() + "/script"
	if err := os.WriteFile(script, []byte("not a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ program, want string }{
		{"/none/such", "there is no program /none/such"}, {"/etc/passwd", "is it executable"}, {script, "it is not a program"},
	} {
		for _, limits := range []map[string]any{{}, {"files": int64(64)}} {
			c := build[*command](t, "exec", map[string]any{"command": []any{test.program}, "limits": limits}, Deps{})
			if _, err := c.Do(context.Background(), delivery(`{}`)); err == nil || !strings.Contains(err.Error(), test.want) || !isPermanentError(err) {
				t.Errorf("%s under %v: %v", test.program, limits, err)
			}
		}
	}
}

// A container may have evrun and no shell.
func TestAMissingShellIsReported(t *testing.T) {
	c := build[*command](t, "exec", map[string]any{"shell": "true"}, Deps{})
	if err := c.notStarted(exec.Command("/none/sh"), fs.ErrNotExist); !isPermanentError(err) || err.Error() != "there is no program /none/sh" {
		t.Error(err)
	}
}

func TestWrongLimitsAreRefused(t *testing.T) {
	for _, test := range []struct {
		limits any
		path   string
		msg    string
	}{
		{map[string]any{"memory": int64(5)}, "limits.memory", "a size needs a unit"},
		{map[string]any{"memory": "1KiB"}, "limits.memory", "out of bounds"},
		{map[string]any{"cpu": "1500ms"}, "limits.cpu", "whole seconds"},
		{map[string]any{"files": int64(1)}, "limits.files", "must be 4 or more"},
		{map[string]any{"ram": "1GiB"}, "limits.ram", `unknown key "ram"`},
		{"512MiB", "limits", "must be a mapping"},
	} {
		_, faults := Build("exec", map[string]any{"command": []any{"true"}, "limits": test.limits}, Deps{})
		if len(faults) != 1 || fault.Path(faults[0].Path) != test.path || !strings.Contains(faults[0].Message, test.msg) {
			t.Errorf("%v: %v, want %s at %s", test.limits, faults, test.msg, test.path)
		}
	}
	_, faults := Build("exec", map[string]any{"command": []any{"true"}, "limits": map[string]any{"processes": int64(9)}}, Deps{})
	if refused := len(faults) == 1 && strings.Contains(faults[0].Message, "root"); refused != (os.Geteuid() == 0) {
		t.Errorf("as user %d: %v", os.Geteuid(), faults)
	}
}
