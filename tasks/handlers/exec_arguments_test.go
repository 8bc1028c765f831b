package handlers

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNothingRunsThatTheFileDidNotSay passes hostile values to commands in every way that a file can. Each value arrives unchanged or is refused, and
// the file that all of them try to create does not exist.
func TestNothingRunsThatTheFileDidNotSay(t *testing.T) {
	dir := t.TempDir()
	marker := filepath.Join(dir, "marker")
	touch := "touch " + marker
	values := []string{
		"; " + touch, "| " + touch, "|| " + touch, "&& " + touch, "& " + touch + " &", "$(" + touch + ")", "`" + touch + "`", "${IFS}$(" + touch + ")",
		"'; " + touch + " #", `"; ` + touch + ` #`, `'"; ` + touch + ` #`, "\n" + touch + "\n", "\r\n" + touch, "x\n; " + touch, "> " + marker, "<(" + touch + ")",
		"${ env(\"HOME\") }", "$${ x }", "%s%n$HOME", "*", "?", "~", "~root", "{a,b}", "!!", "\\", "\\'; " + touch, "() { :;}; " + touch,
		"-rf", "--", "--help", "-c" + touch, "-e" + touch, "--checkpoint-action=exec=" + touch, "-oProxyCommand=" + touch, "-", "−c", "-5",
		"../../etc/passwd", "/etc/passwd", "a\x00; " + touch, "\x00", strings.Repeat("A", 200_000), "$(" + touch + ")" + strings.Repeat("A", 200_000),
		"LD_PRELOAD=" + marker, "ld_preload=x", "PATH=" + dir, "\u2028" + touch, "\u202e" + touch, "日本; " + touch, " ", "",
	}
	for _, value := range values {
		data := string(must(json.Marshal(map[string]any{"x": value})))
		nul, long, hyphen := strings.Contains(value, "\x00"), len(value) > 100_000, strings.HasPrefix(value, "-")
		for _, test := range []struct {
			name   string
			inputs map[string]any
			fails  bool
		}{
			{"an argument", with("command", argv("printf", "%s", "${ data.x }")), nul || long || hyphen},
			{"an argument after --", with("command", argv("printf", "--", "%s", "${ data.x }")), nul || long},
			{"a part of an argument", with("command", argv("printf", "%s", "x=${ data.x }")), nul || long},
			{"an argument of a script", with("command", argv("sh", "-c", `printf %s "$1"`, "sh", "x=${ data.x }")), nul || long},
			{"a variable", with("shell", `printf %s "$X"`, "env", with("X", "${ data.x }")), nul || long},
			{"stdin", with("shell", `cat`, "stdin", "${ data.x }"), false},
			{"the event", with("shell", `cat >/dev/null; echo done`), false},
		} {
			inputs := map[string]any{"result": "text"}
			for k, v := range test.inputs {
				inputs[k] = v
			}
			want := value
			switch test.name {
			case "a part of an argument", "an argument of a script":
				want = "x=" + value
			case "the event":
				want = "done"
			}
			want = strings.TrimSuffix(want, "\n")
			result, err := runExec(t, dir, inputs, data)
			switch {
			case test.fails && (err == nil || !isPermanent(err)):
				t.Errorf("%.80q as %s: %v, %v; want a permanent error", value, test.name, result, err)
			case test.fails && (strings.Contains(err.Error(), "\x00") || len(err.Error()) > 500):
				t.Errorf("%.80q as %s: the error is %.600q", value, test.name, err)
			case !test.fails && err != nil:
				t.Errorf("%.80q as %s: %v", value, test.name, err)
			case !test.fails && !long && result != want:
				t.Errorf("%.80q as %s arrived as %.80q", value, test.name, result)
			}
			if _, err := os.Stat(marker); err == nil {
				t.Fatalf("%.80q as %s ran", value, test.name)
			}
		}
	}
}

func TestRefusedArgumentsSayWhatToDo(t *testing.T) {
	for value, want := range map[string]string{
		"-rf":                        `command[1]: "-rf" begins with a hyphen, so the program would take it for an option; write "--" as an argument before it if the program knows that, or pass it by env or on stdin`,
		"a\x00":                      `command[1]: "a\x00" has a NUL byte in it, which no argument can hold; pass it on stdin`,
		strings.Repeat("A", 200_000): "start %s: its arguments and variables are too long for the system; pass what is long on stdin",
	} {
		program := must(exec.LookPath("true"))
		_, err := runExec(t, t.TempDir(), with("command", argv("true", "${ data.x }")), string(must(json.Marshal(map[string]any{"x": value}))))
		if want := strings.ReplaceAll(want, "%s", program); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", value, err, want)
		}
	}
}

// TestExecInputsAreChecked has inputs that are refused before anything runs, above all those in which an event could write code.
func TestExecInputsAreChecked(t *testing.T) {
	const code = "give the value a name in env:, or read it from stdin, or pass it as an argument after the code"
	codeFor := func(at int, interpreter string) []toldFault {
		return []toldFault{{path: fmt.Sprintf("command[%d]", at), msg: "this is code for " + interpreter + ", so it is constant: no ${ … } can stand in it", hint: code}}
	}
	for _, test := range []struct {
		inputs map[string]any
		want   []toldFault
	}{
		{with(), []toldFault{{msg: "neither command nor shell is given", hint: "write command: [program, argument, …], or shell: with a script"}}},
		{with("command", argv("true"), "shell", "true"), []toldFault{{path: "shell", msg: "shell can't stand beside command", hint: "keep one of them", key: true}}},
		{with("command", argv()), []toldFault{{path: "command", msg: "the list is empty", hint: "write [program, argument, …]"}}},
		{with("command", argv("")), []toldFault{{path: "command[0]", msg: "the program is empty", hint: "write [program, argument, …]"}}},
		{with("command", "echo hello"), []toldFault{{path: "command", msg: `there is no program "echo hello": no shell takes it apart`, hint: "write the program and its arguments as a list, or use shell:"}}},
		{with("command", argv("${ data.x }")), []toldFault{{path: "command[0]", msg: "the program is constant: no ${ … } can stand in it", hint: "only what is written out can be run"}}},
		{with("command", argv("true", "a\x00b")), []toldFault{{path: "command[1]", msg: "there is a NUL byte in it"}}},
		{with("shell", "echo $${x} ${ data.x }"), []toldFault{{path: "shell", msg: "shell is constant: no ${ … } can stand in it", offset: 11,
			hint: `give the value a name in env: and write "$NAME" here, or read it from stdin; a plain "${" is written "$${"`}}},
		{with("shell", "true", "dir", "${ data.x }"), []toldFault{{path: "dir", msg: "dir is constant: no ${ … } can stand in it", hint: `only a constant can be a directory; a plain "${" is written "$${"`}}},
		{with("shell", "true", "env", with("A=B", "x", "1A", "x", "${ data.x }", "x", "", "x", "EVRUN_RUN_ID", "x", "LD_PRELOAD", "x", "ld_preload", "x")), []toldFault{
			{path: `env[""]`, msg: `"" is not a valid variable name`, hint: "it has letters, digits and _, and begins with no digit", key: true},
			{path: `env["${ data.x }"]`, msg: `"${ data.x }" is not a valid variable name`, hint: "it has letters, digits and _, and begins with no digit", key: true},
			{path: "env.1A", msg: `"1A" is not a valid variable name`, hint: "it has letters, digits and _, and begins with no digit", key: true},
			{path: `env["A=B"]`, msg: `"A=B" is not a valid variable name`, hint: "it has letters, digits and _, and begins with no digit", key: true},
			{path: "env.EVRUN_RUN_ID", msg: "EVRUN_RUN_ID is set by evrun", hint: "choose another name", key: true},
		}},
		{with("shell", "true", "umask", "098", "env", with("EVRUN_LEAVE", "x")), []toldFault{
			{path: "env.EVRUN_LEAVE", msg: "EVRUN_LEAVE is set by evrun", hint: "choose another name", key: true},
			{path: "umask", msg: `"098" is not a valid umask`, hint: `in octal digits, such as "022"`},
		}},
		{with("shell", "true", "umask", "1777"), []toldFault{{path: "umask", msg: `"1777" is not a valid umask`, hint: `in octal digits, such as "022"`}}},
		{with("shell", "true", "permanent_exit_codes", argv(int64(0), "x", "5-4", "1-256", "${ data.x }", int64(3))), []toldFault{
			{path: "permanent_exit_codes[0]", msg: `it must be an exit code from 1 to 255, not "0"`, hint: "such as 2, or a range such as 64-78"},
			{path: "permanent_exit_codes[1]", msg: `it must be an exit code from 1 to 255, not "x"`, hint: "such as 2, or a range such as 64-78"},
			{path: "permanent_exit_codes[2]", msg: `it must be an exit code from 1 to 255, not "5-4"`, hint: "such as 2, or a range such as 64-78"},
			{path: "permanent_exit_codes[3]", msg: `it must be an exit code from 1 to 255, not "1-256"`, hint: "such as 2, or a range such as 64-78"},
			{path: "permanent_exit_codes[4]", msg: `it must be an exit code from 1 to 255, not "${ data.x }"`, hint: "such as 2, or a range such as 64-78"},
		}},
		{with("command", argv("sh", "-c", "echo ${ data.x }")), codeFor(2, "sh")},
		{with("command", argv("/bin/bash", "-lc", "${ data.x }")), codeFor(2, "bash")},
		{with("command", argv("bash", "-o", "pipefail", "+O", "extglob", "-ec", "${ data.x }")), codeFor(6, "bash")},
		{with("command", argv("sudo", "-u", "x", "sh", "-c", "echo ${ data.x }")), codeFor(5, "sh")},
		{with("command", argv("env", "A=b", "sh", "-c", "echo ${ data.x }")), codeFor(4, "sh")},
		{with("command", argv("env", "-S", "sh ${ data.x }")), codeFor(2, "env")},
		{with("command", argv("python3.13", "-W", "ignore", "-c", "print(${ data.x })")), codeFor(4, "python")},
		{with("command", argv("python3", "-cprint(${ data.x })")), codeFor(1, "python")},
		{with("command", argv("perl", "-MFile::Spec", "-e", "${ data.x }")), codeFor(3, "perl")},
		{with("command", argv("node", "--eval=${ data.x }")), codeFor(1, "node")},
		{with("command", argv("su", "www", "-c", "echo ${ data.x }")), codeFor(3, "su")},
		{with("command", argv("su", "www", "-c", "x")), nil},
		{with("command", argv("sh", "-c", `echo "$1"`, "sh", "${ data.x }")), nil},
		{with("command", argv("bash", "script.sh", "-c", "${ data.x }")), nil},
		{with("command", argv("python3", "script.py", "--", "${ data.x }")), nil},
		{with("command", argv("curl", "-c", "${ data.x }")), nil},
		{with("shell", "echo $${HOME}"), nil},
	} {
		_, errs := Build("exec", test.inputs, Deps{})
		if got := faultsOf(errs); !slices.Equal(got, test.want) {
			t.Errorf("%v:\n got  %+v\n want %+v", test.inputs, got, test.want)
		}
	}
	if result, err := runExec(t, t.TempDir(), with("shell", "A=b; echo $${A}c"), `{}`); err != nil || result != "bc" {
		t.Errorf("%v, %v", result, err)
	}
}
