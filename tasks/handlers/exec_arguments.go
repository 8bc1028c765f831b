package handlers

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"evrun/store/files"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/process"
)

// check accepts either command or shell, and refuses them where an event could choose the program that runs.
func (c *command) check() []*fault.Fault {
	var faults []*fault.Fault
	add := func(hint string, offset int, key bool, path []any, format string, args ...any) {
		faults = append(faults, &fault.Fault{Path: path, Key: key, Offset: offset, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	switch {
	case c.Command == nil && c.Shell == "":
		add("write command: [program, argument, …], or shell: with a script", 0, false, nil, "neither command nor shell is given")
	case c.Command != nil && c.Shell != "":
		add("keep one of them", 0, true, []any{"shell"}, "shell can't stand beside command")
	case c.Command != nil:
		faults = append(faults, c.checkCommand()...)
	}
	for _, in := range []struct{ name, text, hint string }{
		{"shell", c.Shell, `give the value a name in env: and write "$NAME" here, or read it from stdin; a plain "${" is written "$${"`},
		{"dir", c.Dir, `only a constant can be a directory; a plain "${" is written "$${"`},
	} {
		if i := strings.Index(strings.ReplaceAll(in.text, "$${", "\x00\x00\x00"), "${"); i >= 0 {
			add(in.hint, i, false, []any{in.name}, "%s is constant: no ${ … } can stand in it", in.name)
		}
		if i := strings.IndexByte(in.text, 0); i >= 0 {
			add("", i, false, []any{in.name}, "there is a NUL byte in it")
		}
	}
	faults = append(faults, checkVariables(slices.Sorted(maps.Keys(c.Env)), false)...)
	faults = append(faults, checkPassed(c.PassEnv)...)
	var err error
	if runtime.GOOS == "windows" {
		faults = append(faults, c.notOnWindows()...)
	}
	if c.umask, err = umask(c.Umask); err != nil {
		add(`in octal digits, such as "022"`, 0, false, []any{"umask"}, "%q is not a valid umask", c.Umask)
	}
	if c.User != "" && c.secrets.Sealed() {
		c.user = new(process.User)
	} else if c.User != "" {
		if c.user, err = process.LookupUser(c.User); err != nil {
			add("", 0, false, []any{"user"}, "%v", err)
		}
	}
	if err := c.Limits.limits().Check(c.user); err != nil {
		path, hint := []any{"limits"}, "leave limits out"
		if c.Limits.Processes > 0 {
			path, hint = []any{"limits", "processes"}, "give the handler a user, or leave processes out"
		}
		add(hint, 0, true, path, "%v", err)
	}
	for i, t := range c.Permanent {
		first, last, ok := exitCodes(t)
		if !ok {
			add("such as 2, or a range such as 64-78", 0, false, []any{"permanent_exit_codes", i}, "it must be an exit code from 1 to 255, not %q", t)
			continue
		}
		for code := first; code <= last; code++ {
			c.permanent[code] = true
		}
	}
	return faults
}

// notOnWindows refuses the keys that can't have an effect there.
func (c *command) notOnWindows() (faults []*fault.Fault) {
	if c.Shell != "" {
		faults = append(faults, &fault.Fault{Path: []any{"shell"}, Message: "Windows has no /bin/sh", Hint: "write command: [program, argument, …]"})
	}
	if c.Umask != "" {
		faults = append(faults, &fault.Fault{Path: []any{"umask"}, Message: "Windows has no umask", Hint: "leave it out"})
	}
	return faults
}

// umask reads octal digits. Empty is the umask that evrun was started with.
func umask(text string) (int, error) {
	if text == "" {
		return process.Inherited, nil
	}
	n, err := strconv.ParseUint(text, 8, 9)
	return int(n), err
}

// unescape returns the text of a constant input, where "$${" stands for "${".
func unescape(s string) string { return strings.ReplaceAll(s, "$${", "${") }

func exitCodes(t *expression.Template) (first, last int, ok bool) {
	text, _ := t.Constant()
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	return first, last, err1 == nil && err2 == nil && 1 <= first && first <= last && last <= 255
}

// checkCommand looks for ways in which an event could choose the program, or write code for it.
func (c *command) checkCommand() []*fault.Fault {
	refuse := func(i int, hint, format string, args ...any) []*fault.Fault {
		return []*fault.Fault{{Path: []any{"command", i}, Message: fmt.Sprintf(format, args...), Hint: hint}}
	}
	if len(c.Command) == 0 {
		return []*fault.Fault{{Path: []any{"command"}, Message: "the list is empty", Hint: "write [program, argument, …]"}}
	}
	for i, t := range c.Command {
		if text, ok := t.Constant(); ok && strings.ContainsRune(text, 0) {
			return refuse(i, "", "there is a NUL byte in it")
		}
	}
	program, ok := c.Command[0].Constant()
	switch {
	case !ok:
		return refuse(0, "only what is written out can be run", "the program is constant: no ${ … } can stand in it")
	case program == "":
		return refuse(0, "write [program, argument, …]", "the program is empty")
	case len(c.Command) == 1 && strings.Contains(program, " ") && !strings.Contains(strings.Fields(program + " x")[0], "/"):
		return []*fault.Fault{{Path: []any{"command"}, Message: fmt.Sprintf("there is no program %q: no shell takes it apart", program),
			Hint: "write the program and its arguments as a list, or use shell:"}}
	}
	if strings.Contains(program, "/") {
		// A user who can write the program controls the handler, as with the wiring file.
		note, err := files.Trusted(c.path(unescape(program)), c.user == nil)
		var untrusted *files.Error
		if errors.As(err, &untrusted) {
			return refuse(0, untrusted.Hint, "%s: %s", untrusted.Path, untrusted.Msg)
		}
		if note != "" && c.note != nil {
			c.note(note)
		}
	}
	if i, interpreter := c.codeFromEvent(); i > 0 {
		return refuse(i, `give the value a name in env:, or read it from stdin, or pass it as an argument after the code`,
			"this is code for %s, so it is constant: no ${ … } can stand in it", interpreter)
	}
	return nil
}

// codeOption has the options, short and long, after which a program expects code.
type codeOption struct {
	letters  string
	long     []string
	operands bool // they can stand before options
}

// codeOptions has the programs that take code.
var codeOptions = map[string]codeOption{
	"sh": {letters: "c"}, "bash": {letters: "c"}, "dash": {letters: "c"}, "ash": {letters: "c"}, "zsh": {letters: "c"},
	"ksh": {letters: "c"}, "mksh": {letters: "c"}, "csh": {letters: "c"}, "tcsh": {letters: "c"},
	"fish": {letters: "cC", long: []string{"--command", "--init-command"}},
	"su":   {letters: "c", long: []string{"--command", "--session-command"}, operands: true}, "runuser": {letters: "c", long: []string{"--command", "--session-command"}, operands: true},
	"python": {letters: "c"}, "perl": {letters: "eE"}, "ruby": {letters: "e"}, "lua": {letters: "e"}, "php": {letters: "rRBE", long: []string{"--run"}},
	"node": {letters: "ep", long: []string{"--eval", "--print"}}, "env": {letters: "S", long: []string{"--split-string"}},
}

// codeFromEvent finds an element in which an event could write code, as in `[bash, -c, "… ${ data.x }"]`. It returns 0 if there is
// none. It knows the usual interpreters, also behind other programs (env, sudo, nice …), and examines their options up to the first
// operand. It does not find everything: it guards against mistakes of the file's author, who is trusted.
func (c *command) codeFromEvent() (index int, interpreter string) {
	for i, t := range c.Command {
		name, ok := t.Constant()
		if !ok {
			continue
		}
		name = path.Base(name)
		known, ok := codeOptions[name]
		if !ok { // python3.13 is a python
			name = strings.TrimRight(name, "0123456789.")
			if known, ok = codeOptions[name]; !ok {
				continue
			}
		}
		if j := c.codeAfter(i, known); j > 0 {
			return j, name
		}
	}
	return 0, ""
}

// codeAfter finds code that is not constant among the options of the interpreter at i; 0: none.
func (c *command) codeAfter(i int, known codeOption) int {
	code, argument := false, false // the element is code; it may be the argument of an option
	for j := i + 1; j < len(c.Command); j++ {
		text, constant := c.Command[j].Constant()
		if !constant {
			text, _, _ = strings.Cut(c.Command[j].String(), "${")
		}
		option := len(text) > 1 && (text[0] == '-' || text[0] == '+') && text != "--"
		long, _, attached := strings.Cut(text, "=")
		letters := option && text[1] != '-' && strings.ContainsAny(text[1:], known.letters)
		isLong := option && slices.Contains(known.long, long)
		if !constant && (code || letters || isLong) {
			return j
		}
		if !option && !argument && !known.operands {
			return 0
		}
		code, argument = letters || isLong && !attached, option
	}
	return 0
}

// arguments evaluates the elements of the command.
func (c *command) arguments(env *expression.Env) ([]string, error) {
	args := make([]string, len(c.Command))
	operands := false // after "--", nothing is an option
	for i, t := range c.Command {
		text, err := t.Text(env)
		if err != nil {
			return nil, fmt.Errorf("command[%d]: %w", i, err)
		}
		if strings.ContainsRune(text, 0) {
			return nil, c.fault(true, "command[%d]: %s has a NUL byte in it, which no argument can hold; pass it on stdin", i, c.excerpt(text))
		}
		if !operands && !isConstant(t) && strings.HasPrefix(text, "-") && strings.HasPrefix(t.String(), "${") {
			return nil, c.fault(true, `command[%d]: %s begins with a hyphen, so the program would take it for an option; write "--" as an argument before it if the program knows that, or pass it by env or on stdin`,
				i, c.excerpt(text))
		}
		operands = operands || text == "--" && isConstant(t)
		args[i] = text
	}
	return args, nil
}

func isConstant(t *expression.Template) bool {
	_, ok := t.Constant()
	return ok
}
