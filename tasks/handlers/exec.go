package handlers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/capture"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/process"
)

// command is the kind exec. It runs a program that the wiring file chooses. The event is on its stdin, and in the command line only
// where the file puts it (see exec_arguments.go). Package process ends it.
type command struct {
	Command   []*expression.Template          `key:"command,short,words" example:"./backup.sh" doc:"The program and its arguments, as a list, or as a text that is split at blanks; no shell looks at them. In a text, '…' and \"…\" group what has blanks in it, also a path, and each ${ … } stays a part of one argument. A program without a slash is looked up in PATH, one with a slash is relative to the wiring file's directory, and is refused when others can write it, as the wiring file is. An argument that begins with a ${ … } must not turn out to begin with a hyphen, unless a \"--\" stands before it."`
	Shell     string                          `key:"shell" hint:"write the script itself, such as shell: echo hi, in place of command" doc:"In place of command: a script for /bin/sh. It is constant; values reach it by env or on stdin."`
	Stdin     *expression.Value               `key:"stdin" doc:"What the program reads: a text as it is, anything else as JSON. Left out, it is the event as CloudEvents JSON, on one line."`
	Env       map[string]*expression.Template `key:"env" other:"environment,variables" doc:"Environment variables. Beside them there are PATH, HOME and evrun's own (EVRUN_RUN_ID, EVRUN_ATTEMPT, EVRUN_HANDLER, EVRUN_EVENT_ID, EVRUN_EVENT_TYPE, EVRUN_EVENT_SOURCE, EVRUN_EVENT_SUBJECT, EVRUN_EVENT_TIME and EVRUN_EVENT_SEQ), and of the daemon's none but those that pass_env names. The file's env stands for all programs, and gives way to this one. With EVRUN_CONFIG, EVRUN_DAEMON (the daemon's address) and EVRUN_RUN_TOKEN \"evrun emit\" finds this daemon, and its event belongs to the run: it is in the same chain, one hop further. The token is a secret of the attempt: an event that comes after the attempt's end is refused, unless leave is true. Other programs send it as the header Evrun-Run-Token. An EVRUN_CONFIG in env, or -c, leads to another daemon, where the event begins a chain of its own."`
	PassEnv   []string                        `key:"pass_env" doc:"Names of variables of evrun's own environment that the program gets, as far as they are set: [LANG, TZ, HTTP_PROXY]. Those of the file's pass_env come before them."`
	Dir       string                          `key:"dir" other:"cwd,workdir,working_dir,working_directory,directory,chdir" doc:"The working directory, relative to that of the wiring file, which is the default."`
	KillAfter time.Duration                   `key:"kill_after" min:"0s" default:"5s" doc:"How long the program and its children have between SIGTERM, at the timeout, and SIGKILL."`
	Permanent []*expression.Template          `key:"permanent_exit_codes" default:"126-127" doc:"Exit codes after which the run is dead at once: numbers, or ranges such as 64-78. By default those of a program that does not exist (127) or can't be run (126). After any other but 0, it is tried again."`
	Result    string                          `key:"result" enum:"auto,json,text,none" default:"auto" doc:"What the run's result is: stdout as JSON, as text, or none. auto takes a JSON object or list as JSON, and all else as text. At most 64 KiB of it are kept: the first and the last 32."`

	Limits limitKeys `key:"limits" hint:"write limits: {memory: 512MiB, cpu: 60s, files: 256}" doc:"Limits of the program and, each by itself, of the processes that it starts. On Linux."`

	Umask string `key:"umask" doc:"The umask of the program: octal digits in quotes, such as \"022\". Left out, it is the one that evrun was started with."`
	User  string `key:"user" doc:"The user that the program runs as, with that user's groups and HOME; user:group names another primary group. For an evrun that runs as root."`
	Leave bool   `key:"leave" doc:"Processes that the program started go on when it ends, also when evrun ends: for a script that starts a daemon (EVRUN_LEAVE is set then). An event that they publish with \"evrun emit\" after the attempt's end begins a chain of its own, so a loop through it is not cut off. By default all these processes end with the program, with SIGTERM, and SIGKILL after kill_after: its process group, and those that left the group (setsid) but still have the variable EVRUN_RUN_ID. A process escapes if another daemon starts it (at, systemd-run), or if it leaves the group and drops the variable (env -i setsid) or hides it (ssh-agent); the latter two do not escape where evrun may make cgroups (systemd: Delegate=yes)."`

	dir string // the wiring file's directory
	logged
	noResult  bool              // nobody reads it
	note      func(text string) // see [Deps.Note]
	secrets   *expression.Secrets
	permanent [256]bool // by exit code
	umask     int
	user      *process.User // nil: evrun's own
}

// Open implements [tasks.Opener].
func (c *command) Open(s tasks.Surroundings) {
	c.logged.Open(s)
	c.noResult = s.ResultUnused
}

// MayHang implements [tasks.Unbounded].
func (c *command) MayHang() string { return "a command" }

// Do runs the program and waits for its end.
func (c *command) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if token := d.Variables()[tasks.VariableRunToken]; token != "" {
		attempt := *c // its errors and its result must not show the token
		attempt.secrets = c.secrets.Plus(token)
		c = &attempt
	}
	cmd, err := c.prepare(d)
	if err != nil {
		return nil, err
	}
	stdin, err := c.stdin(d)
	if err != nil {
		return nil, err
	}
	e, err := c.run(ctx, cmd, stdin, d)
	if err != nil {
		return nil, c.notStarted(cmd, err)
	}
	if err := c.failure(ctx, cmd, e); err != nil {
		return nil, err
	}
	return c.result(e.stdout)
}

// Prints implements [tasks.Printer].
func (c *command) Prints() string { return "what the program prints" }

// ending is how a command ended, with its output.
type ending struct {
	process.Ending
	stdout, stderr *capture.Stream
}

// run runs cmd; see [process.Run] for how it ends. The id of the run marks the processes that it starts.
func (c *command) run(ctx context.Context, cmd *exec.Cmd, stdin []byte, d *tasks.Delivery) (*ending, error) {
	output := d.Capture(c.secrets)
	e := &ending{stdout: output.Stream("stdout"), stderr: output.Stream("stderr")}
	end, err := process.Run(ctx, &process.Command{
		Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir, Stdin: stdin, Stdout: e.stdout, Stderr: e.stderr,
		Mark: "EVRUN_RUN_ID=" + d.RunID, Grace: c.KillAfter, Umask: c.umask, User: c.user, Leave: c.Leave,
		Limits: c.Limits.limits(),
	})
	if end == nil {
		return nil, err
	}
	e.Ending = *end
	output.SetStatus(e.State.String())
	if len(e.Left) > 0 {
		c.logger().Warn("processes that a command started could not be ended", "handler", d.Handler, "pids", e.Left)
	}
	return e, err
}

// prepare makes the command from its inputs.
func (c *command) prepare(d *tasks.Delivery) (*exec.Cmd, error) {
	env, err := c.environment(d)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Dir: c.path(unescape(c.Dir)), Env: make([]string, 0, len(env))}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	if c.Command == nil {
		cmd.Path, cmd.Args = "/bin/sh", []string{"/bin/sh", "-c", unescape(c.Shell)}
		return cmd, nil
	}
	if cmd.Args, err = c.arguments(d.Env); err != nil {
		return nil, err
	}
	if cmd.Path, err = c.lookUp(cmd.Args[0], env["PATH"]); err != nil {
		return nil, err
	}
	return cmd, nil
}

// path makes a path of the file absolute.
func (c *command) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

// stdin returns the input of the program.
func (c *command) stdin(d *tasks.Delivery) ([]byte, error) {
	if c.Stdin == nil {
		b, err := d.Event.AppendJSON(make([]byte, 0, 512+len(d.Event.Data)))
		if err != nil {
			return nil, tasks.Permanent(fmt.Errorf("stdin: %w", err))
		}
		return append(b, '\n'), nil
	}
	v, err := c.Stdin.Eval(d.Env)
	if err != nil {
		return nil, fmt.Errorf("stdin: %w", err)
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(v), nil
	}
	text, err := events.MarshalJSON(v)
	if err != nil {
		return nil, c.fault(true, "stdin: %v", err)
	}
	return append(text, '\n'), nil
}

// fault makes an error and removes secrets from its text.
func (c *command) fault(permanent bool, format string, args ...any) error {
	err := errors.New(c.secrets.Redact(fmt.Sprintf(format, args...)))
	if permanent {
		return tasks.Permanent(err)
	}
	return err
}

// excerpt quotes a value. Secrets are removed before it is cut.
func (c *command) excerpt(s string) string { return fault.Quote(c.secrets.Redact(s)) }

// The exit codes of a shell for a command that can't be run, and for one that does not exist.
const (
	exitNotRunnable = 126
	exitNotFound    = 127
)

// lookUp finds the program. A missing one counts as exit code 127.
func (c *command) lookUp(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return c.path(name), nil
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // the working directory would decide which program runs
		}
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	hint := "install it, or write its path"
	if strings.Contains(name, " ") {
		hint = "its arguments are elements of their own: [program, argument, …]"
	}
	return "", c.fault(c.permanent[exitNotFound], "there is no program %q in PATH (%s); %s", name, path, hint)
}

// notStarted explains why a command did not start.
func (c *command) notStarted(cmd *exec.Cmd, err error) error {
	if info, serr := os.Stat(cmd.Dir); cmd.Dir != "" && (serr != nil || !info.IsDir()) {
		return c.fault(false, "dir: %s is not a directory that evrun can see", cmd.Dir)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	_, missing := os.Stat(cmd.Path)
	switch {
	case errors.Is(err, syscall.E2BIG):
		return c.fault(true, "start %s: its arguments and variables are too long for the system; pass what is long on stdin", cmd.Path)
	case missing != nil && c.spaced() != "":
		return c.fault(c.permanent[exitNotFound], "there is no program %s; a path with blanks (%q) is one element of the list, or in quotes in a text", cmd.Path, c.spaced())
	case missing != nil:
		return c.fault(c.permanent[exitNotFound], "there is no program %s", cmd.Path)
	case errors.Is(err, fs.ErrNotExist) && carriageReturn(cmd.Path):
		return c.fault(c.permanent[exitNotFound], "start %s: %s", cmd.Path, crlfWords)
	case errors.Is(err, fs.ErrNotExist):
		return c.fault(c.permanent[exitNotFound], "start %s: the interpreter that its first line names does not exist", cmd.Path)
	case errors.Is(err, syscall.ENOEXEC):
		return c.fault(c.permanent[exitNotRunnable], "start %s: it is not a program; a script begins with #! and its interpreter", cmd.Path)
	case errors.Is(err, fs.ErrPermission):
		return c.fault(c.permanent[exitNotRunnable], "start %s: %v; is it executable (chmod +x), and may evrun's user run it?", cmd.Path, err)
	}
	return c.fault(false, "start %s: %v", cmd.Path, err)
}

// crlfWords explains a script with Windows line ends.
const crlfWords = `its first line ends in "\r", which the system takes for a part of the interpreter's name; save it with Unix line ends (sed -i 's/\r$//')`

// carriageReturn reports whether a script's first line names an interpreter that ends in \r.
func carriageReturn(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n') // the kernel reads no more
	return err == nil && strings.HasPrefix(line, "#!") && strings.HasSuffix(line, "\r\n")
}

// failure returns the error of a program that failed, or nil.
func (c *command) failure(ctx context.Context, cmd *exec.Cmd, e *ending) error {
	status, _ := e.State.Sys().(syscall.WaitStatus)
	code := e.State.ExitCode()
	if code == 0 && !e.Stopped {
		return nil
	}
	words := lastLines(c.secrets.Redact(e.stderr.Text()))
	if words == "" {
		words = lastLines(c.secrets.Redact(e.stdout.Text()))
	}
	limits := c.Limits.limits()
	if text := limits.String(); text != "" {
		words = " (under the limits " + text + ")" + words
	}
	switch {
	case e.Stopped:
		return c.fault(false, "%v: it was stopped (%v)%s", context.Cause(ctx), e.State, words)
	case limits.UsedUp(e.State):
		return c.fault(false, "killed: more than cpu %v%s", limits.CPU, words)
	case status.Signaled():
		hint := ""
		if status.Signal() == syscall.SIGKILL {
			hint = ", which evrun did not send (was memory short?)"
		}
		return c.fault(false, "ended by %s%s%s", process.SignalName(status.Signal()), hint, words)
	case code == exitNotFound && carriageReturn(cmd.Path): // env looked for the interpreter
		return c.fault(c.permanent[code], "exit code 127: %s%s", crlfWords, words)
	case code == exitNotFound:
		return c.fault(c.permanent[code], "exit code 127, which means that a program was not found%s", words)
	case code == exitNotRunnable:
		return c.fault(c.permanent[code], "exit code 126, which means that a program can't be run%s", words)
	}
	return c.fault(code > 0 && c.permanent[code], "exit code %d%s", code, words)
}

// result makes the run's result from the program's output. Output of another form than the file says is a permanent error: the
// program has done its work, and must not run again.
func (c *command) result(stdout *capture.Stream) (any, error) {
	if c.Result == "none" || c.noResult && c.Result != "json" {
		return nil, nil
	}
	text := stdout.Text()
	trimmed := strings.TrimSpace(text)
	if c.Result == "json" || c.Result == "auto" && stdout.Whole() && trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[') {
		v, err := events.ParseJSON([]byte(trimmed))
		switch {
		case err == nil && stdout.Whole():
			return c.redactValue(v), nil
		case c.Result == "json" && !stdout.Whole():
			return nil, c.fault(true, "result: stdout is %d bytes long, and only %d are kept; write the JSON to a file, and its name to stdout", stdout.Total(), capture.Default)
		case c.Result == "json":
			return nil, c.fault(true, "result: stdout is not JSON: %v%s", err, lastLines(c.secrets.Redact(text)))
		}
	}
	return c.secrets.Redact(strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")), nil
}

// redactValue is Redact for decoded JSON. A number that is a secret becomes a text.
func (c *command) redactValue(v any) any {
	switch v := v.(type) {
	case string:
		return c.secrets.Redact(v)
	case []any:
		for i := range v {
			v[i] = c.redactValue(v[i])
		}
	case map[string]any:
		for _, key := range slices.Collect(maps.Keys(v)) {
			value := c.redactValue(v[key])
			delete(v, key)
			v[c.secrets.Redact(key)] = value
		}
	case int, float64, json.Number:
		text := fmt.Sprint(v)
		if safe := c.secrets.Redact(text); safe != text {
			return safe
		}
	}
	return v
}
