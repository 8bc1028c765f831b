package handlers

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"evrun/tasks/fault"
)

// Seen has what Doubts found out about programs: a message and a hint, both empty for nothing.
type Seen map[string][2]string

// doubts looks at the program, as far as it can be seen now, at the directory, and for what only a shell would replace. A
// program that is installed later is found then, so these are no faults.
func (c *command) doubts(seen Seen) (doubts []*fault.Fault) {
	add := func(path []any, offset int, msg, hint string) {
		doubts = append(doubts, &fault.Fault{Path: path, Offset: offset, Message: msg, Hint: hint})
	}
	if dir := unescape(c.Dir); dir != "" && len(Unexpanded(dir)) == 0 {
		if info, err := os.Stat(c.path(dir)); errors.Is(err, fs.ErrNotExist) {
			add([]any{"dir"}, 0, fmt.Sprintf("there is no directory %s", c.path(dir)), "make it, or name another; a relative one is relative to the wiring file's directory")
		} else if err == nil && !info.IsDir() {
			add([]any{"dir"}, 0, fmt.Sprintf("%s is not a directory", c.path(dir)), "name the directory that it is in")
		}
	}
	if c.Command == nil {
		if dir := changedTo(c.Shell); dir != "" && !filepath.IsAbs(dir) && !exists(filepath.Join(c.path(unescape(c.Dir)), dir)) {
			add([]any{"shell"}, strings.Index(c.Shell, dir), fmt.Sprintf("there is no directory %s for this cd", filepath.Join(c.path(unescape(c.Dir)), dir)),
				"write its whole path; a relative one begins at dir, or else at the wiring file's directory")
		}
		return doubts
	}
	path, _ := c.searchPath()
	name, _ := c.Command[0].Constant()
	known := path + "\x00" + c.dir + "\x00" + name
	doubt, ok := seen[known]
	if !ok {
		doubt[0], doubt[1] = c.doubtProgram(name)
		seen[known] = doubt
	}
	if doubt[0] != "" {
		add([]any{"command", 0}, 0, doubt[0], doubt[1])
	}
	return append(doubts, c.doubtArguments()...)
}

// changedTo returns the directory of a cd at the beginning of a script, if it is written out; else nothing.
func changedTo(script string) string {
	words := strings.Fields(script)
	if len(words) < 2 || words[0] != "cd" {
		return ""
	}
	dir := strings.TrimRight(words[1], ";")
	if strings.ContainsAny(dir, "$`'\"~*?&|<>()\\{") || strings.HasPrefix(dir, "-") {
		return ""
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// builtins are commands that only a shell has, and no PATH.
var builtins = []string{"cd", "source", ".", "export", "alias", "set", "unset", "eval", "exec", "ulimit", "umask", "if", "for", "while"}

// doubtProgram says what would keep the program from starting now; empty: nothing.
func (c *command) doubtProgram(name string) (msg, hint string) {
	if strings.HasPrefix(name, "~") {
		return "~ is not replaced by anything here: no shell looks at this", "write the path out"
	}
	if u := Unexpanded(name); len(u) > 0 {
		return u[0].Part + " is not replaced by anything here: no shell looks at this", "write the path out"
	}
	if !strings.Contains(name, "/") {
		path, known := c.searchPath()
		if _, err := c.lookUp(name, path); err == nil || !known {
			return "", ""
		}
		if slices.Contains(builtins, name) {
			return fmt.Sprintf("%q is a word of shells, not a program", name), "use shell: in place of command; another directory is the input dir"
		}
		return fmt.Sprintf("there is no program %q in PATH (%s)", name, path), cmp.Or(asWords(name), "install it, or write its path")
	}
	path := c.path(name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if spaced := c.spaced(); spaced != "" {
			return "there is no program " + path, fmt.Sprintf("a path with blanks is one element of the list, [%q], or in quotes in a text", spaced)
		}
		return "there is no program " + path, cmp.Or(asWords(name), "make it, or correct the path, which is relative to the wiring file's directory unless it begins with /")
	case err != nil:
		return "", "" // another user may be able to see it
	case info.IsDir():
		return path + " is a directory", "name the program in it"
	case runtime.GOOS == "windows":
		return "", ""
	case info.Mode()&0o111 == 0:
		return path + " is not executable", "chmod +x " + path
	}
	return doubtScript(path)
}

// spaced returns the path of a program that the first elements of the command are when blanks stand between them; empty for none, and for a script.
func (c *command) spaced() string {
	name := ""
	for i, t := range c.Command {
		text, ok := t.Constant()
		if !ok {
			break
		}
		if i == 0 {
			name = text
			continue
		}
		name += " " + text
		if info, err := os.Stat(c.path(name)); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	return ""
}

// asWords says how a command with arguments is written; empty: the name has none.
func asWords(name string) string {
	words := strings.Fields(name)
	if len(words) < 2 || len(name) > 80 || strings.ContainsAny(name, `"',[]{}`) {
		return ""
	}
	return fmt.Sprintf("write the program and each argument as an item of its own: [%s]; or use shell: in place of command", strings.Join(words, ", "))
}

// searchPath returns the PATH of the program, if it is known before there is an event.
func (c *command) searchPath() (path string, known bool) {
	if t, ok := c.Env["PATH"]; ok {
		return t.Constant()
	}
	if path, ok := os.LookupEnv("PATH"); ok {
		return path, true
	}
	return defaultPath, true
}

// doubtScript looks at the first line of a script.
func doubtScript(path string) (msg, hint string) {
	f, err := os.Open(path)
	if err != nil {
		return "", ""
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 256)) // the kernel reads no more
	if err != nil || len(head) == 0 {
		return "", ""
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	after, script := bytes.CutPrefix(line, []byte("#!"))
	switch {
	case script && bytes.HasSuffix(line, []byte("\r")):
		return path + ": " + crlfWords, ""
	case script:
		return doubtInterpreter(path, strings.Fields(string(after)))
	case bytes.IndexByte(head, 0) < 0: // no system has a format of programs without a NUL
		return path + " is a text that does not begin with #!, so the system doesn't know how to run it", "begin it with the line #!/bin/sh, or with the program that reads it"
	}
	return "", ""
}

// doubtInterpreter looks for the program that a script's first line names, and for the one that env is to find.
func doubtInterpreter(path string, words []string) (msg, hint string) {
	const write = "correct its first line, or install that program"
	switch {
	case len(words) == 0:
		return path + ": its first line names no program", "begin it with #!/bin/sh"
	case !exists(words[0]):
		return fmt.Sprintf("%s: its first line names %s, which does not exist", path, words[0]), write
	case len(words) == 2 && filepath.Base(words[0]) == "env":
		if _, err := exec.LookPath(words[1]); errors.Is(err, exec.ErrNotFound) {
			return fmt.Sprintf("%s: its first line names %s, which is not in PATH", path, words[1]), write
		}
	}
	return "", ""
}

// shells are programs that replace $NAME in their arguments, or pass these to a program that does.
var shells = []string{"ssh", "su", "sudo", "doas", "runuser", "docker", "podman", "kubectl", "envsubst", "xargs", "make", "awk", "gawk", "mawk", "perl", "tmux", "screen", "at", "systemd-run", "eval"}

// doubtArguments finds what only a shell would replace in the arguments of a program that is not a shell.
func (c *command) doubtArguments() (doubts []*fault.Fault) {
	for _, t := range c.Command {
		name, _ := t.Constant()
		base := strings.TrimRight(filepath.Base(name), "0123456789.")
		if _, code := codeOptions[base]; code && base != "env" || slices.Contains(shells, base) {
			return nil
		}
	}
	for i, t := range c.Command[1:] {
		text, ok := t.Constant()
		if !ok || strings.ContainsAny(text, " \t\n{}'\"`|") { // a program in another language
			continue
		}
		for _, u := range Unexpanded(text) {
			if u.Part != "~" && u.Name == "" {
				continue
			}
			doubts = append(doubts, &fault.Fault{Path: []any{"command", i + 1}, Offset: u.Start, Message: u.Part + " is not replaced by anything here: no shell looks at this text",
				Hint: u.Hint(`"`) + ", with single quotes around the whole text; or use shell: in place of command"})
		}
	}
	return doubts
}
