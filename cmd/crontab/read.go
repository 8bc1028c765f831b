package crontab

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"evrun/tasks/fault"
	"evrun/tasks/schedule/slots"
)

// reader reads a crontab line by line. Assignments count for the lines below them.
type reader struct {
	o       Options
	entries []*entry
	left    []Left
	names   map[string]bool

	comments []string // of the lines directly above
	env      []variable
	shell    string
	zone     string
	delay    int // RANDOM_DELAY, in minutes
}

func (r *reader) leave(line int, text, reason string) {
	r.left = append(r.left, Left{Line: line, Text: text, Reason: reason})
}

// line reads a line of the crontab.
func (r *reader) line(n int, text string) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		r.comments = nil
		return
	case text[0] == '#':
		r.comment(strings.TrimSpace(strings.TrimLeft(text, "#")))
		return
	case !printable(text):
		r.leave(n, text, "the line has bytes that a wiring file can't have: control characters, or no UTF-8")
	default:
		if v, is := assignment(text); is {
			r.assign(n, text, v)
		} else {
			r.entry(n, text)
		}
	}
	r.comments = nil
}

// comment keeps a line above an entry as a part of its description. An empty one, and an entry that is commented out, end what came before.
func (r *reader) comment(text string) {
	_, _, entry := timing(text)
	if text == "" || entry || !printable(text) || strings.HasPrefix(text, "m h ") || strings.ContainsAny(text[:1], "|*") || strings.Contains(text, "---") || strings.Contains(text, "===") {
		r.comments = nil
		return
	}
	r.comments = append(r.comments, text)
}

// assign takes NAME = value.
func (r *reader) assign(n int, text string, v variable) {
	switch v.name {
	case "SHELL":
		r.shell = v.value
	case "CRON_TZ":
		if _, err := slots.LoadZone(v.value); err != nil || v.value == "" {
			r.leave(n, text, "no such time zone; the lines below have "+r.zone)
			return
		}
		r.zone = v.value
	case "RANDOM_DELAY":
		minutes, err := strconv.Atoi(v.value)
		if err != nil || minutes < 0 || minutes > 24*60 {
			r.leave(n, text, "not a number of minutes from 0 to 1440")
			return
		}
		r.delay = minutes
	case "MAILTO", "MAILFROM":
		if v.value != "" {
			r.leave(n, text, "evrun sends no mail by itself: evrun runs logs shows what a command printed; wire evrun.run.dead to a notify with an smtp:// url for a mail about failures")
		}
	default:
		if strings.HasPrefix(v.name, "EVRUN_") || strings.Contains(v.value, "$${") {
			r.leave(n, text, "commands of evrun can't have this variable")
			return
		}
		for i, old := range r.env {
			if old.name == v.name { // entries above keep theirs
				r.env = append(append(append([]variable(nil), r.env[:i]...), v), r.env[i+1:]...)
				return
			}
		}
		r.env = append(r.env[:len(r.env):len(r.env)], v)
	}
}

// entry takes a line that runs something.
func (r *reader) entry(n int, text string) {
	cron, rest, ok := timing(text)
	if !ok {
		r.leave(n, text, "neither a time with a command nor an assignment")
		return
	}
	e := &entry{line: n, text: text, cron: cron, zone: r.zone, env: r.env, shell: "/bin/sh", description: fault.Clip(strings.Join(r.comments, " "), 300)}
	if r.shell != "" {
		e.shell = r.shell
	}
	if r.delay > 0 {
		e.jitter = fmt.Sprintf("%dm", r.delay)
	}
	if cron == "@reboot" {
		e.reboot = true
	} else if _, err := slots.New("x", slots.Spec{Cron: cron}); err != nil {
		r.leave(n, text, err.Error())
		return
	}
	if r.o.System {
		var user string
		user, rest = word(rest)
		if user != r.o.Me {
			e.user = user
		}
	}
	e.dir = r.home(e.user)
	e.command, e.stdin = split(rest)
	switch {
	case e.command == "":
		r.leave(n, text, "the command is missing")
		return
	case strings.Contains(e.command+e.stdin, "$${"):
		r.leave(n, text, `a wiring file has no way to write "$${" in a command`)
		return
	}
	e.hints = hints(e.command)
	e.name = r.name(e.command)
	r.entries = append(r.entries, e)
}

// home is the directory where cron starts the commands of a user; empty: evrun's own.
func (r *reader) home(of string) string {
	for _, v := range r.env {
		if v.name == "HOME" {
			return v.value
		}
	}
	if of == "" {
		of = r.o.Me
	}
	if r.o.Home == nil {
		return ""
	}
	return r.o.Home(of)
}

// assignment reads NAME=value, with the quotes and blanks that crontab(5) allows.
func assignment(line string) (v variable, is bool) {
	m := assigning().FindStringSubmatch(line)
	if m == nil {
		return v, false
	}
	value := strings.TrimSpace(m[2])
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return variable{m[1], value}, true
}

var assigning = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^["']?([A-Za-z_][A-Za-z0-9_]*)["']?\s*=(.*)$`)
})

// timing cuts the fields of a time off a line. A hyphen before them (no log, in some crons) is dropped.
func timing(line string) (cron, rest string, ok bool) {
	line = strings.TrimPrefix(line, "-")
	if strings.HasPrefix(line, "@") {
		cron, rest = word(line)
		return strings.ToLower(cron), rest, rest != ""
	}
	var fields []string
	rest = line
	for range 5 {
		var f string
		f, rest = word(rest)
		if f == "" || !strings.ContainsAny(f[:1], "0123456789*?~") && !isNames(f, len(fields)) {
			return "", "", false
		}
		fields = append(fields, f)
	}
	return strings.Join(fields, " "), rest, rest != ""
}

// isNames reports whether a field begins with a name, as those of the month and of the day of the week may.
func isNames(field string, at int) bool {
	if at < 3 || len(field) < 3 {
		return false
	}
	names := "jan feb mar apr may jun jul aug sep oct nov dec"
	if at == 4 {
		names = "sun mon tue wed thu fri sat"
	}
	return strings.Contains(" "+names+" ", " "+strings.ToLower(field[:3])+" ")
}

// word cuts the first word off a text.
func word(text string) (first, rest string) {
	text = strings.TrimLeft(text, " \t")
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		return text[:i], strings.TrimLeft(text[i:], " \t")
	}
	return text, ""
}

// split divides what follows the time at its first % that no backslash precedes: what comes after it is the standard input, and each further % a new line.
func split(text string) (command, stdin string) {
	parts := []string{""}
	for i := 0; i < len(text); i++ {
		last := &parts[len(parts)-1]
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '%':
			*last += "%"
			i++
		case text[i] == '%':
			parts = append(parts, "")
		default:
			*last += text[i : i+1]
		}
	}
	command = strings.TrimSpace(parts[0])
	if len(parts) > 1 {
		if stdin = strings.Join(parts[1:], "\n"); !strings.HasSuffix(stdin, "\n") {
			stdin += "\n"
		}
	}
	return command, stdin
}

// hints says what evrun does itself of what a command is wrapped in.
func hints(command string) (list []string) {
	words := " " + command
	if strings.Contains(words, "flock ") {
		list = append(list, "flock still works; overlap: skip at the schedule leaves a slot out while the last one's command runs")
	}
	if strings.Contains(words, ">/dev/null") || strings.Contains(words, "> /dev/null") {
		list = append(list, "without the redirection to /dev/null, \"evrun runs logs\" shows what it printed")
	}
	if strings.Contains(words, "anacron") {
		list = append(list, "where anacron is installed, it runs these jobs, and this command does nothing")
	}
	return list
}

// wrappers are words before the program that say nothing about the job.
var wrappers = map[string]bool{
	"test": true, "[": true, "if": true, "command": true, "cd": true, "nice": true, "ionice": true, "flock": true, "env": true, "sudo": true, "sh": true,
	"bash": true, "timeout": true, "exec": true, "nohup": true, "chronic": true, "time": true, "then": true, "root": true, "sleep": true, "true": true, "systemd-cat": true,
	"date": true, "perl": true, "python": true, "python3": true, "php": true, "ruby": true, "node": true,
}

// name makes a name for an entry, after its program.
func (r *reader) name(command string) string {
	base, other := "", ""
	for _, w := range strings.FieldsFunc(command, func(c rune) bool { return strings.ContainsRune(" \t;&|(){}<>\"'`", c) }) {
		of := path.Base(w)
		if wrappers[of] {
			other = cmp.Or(other, of)
			continue
		}
		if w == strings.ToUpper(w) || strings.HasPrefix(w, "-") || strings.ContainsAny(w, "=$!*") || of == "/" || of == "." || strings.HasPrefix(w, "/run/") || strings.HasPrefix(w, "/dev/") {
			continue
		}
		if c := of[0] | 0x20; c < 'a' || c > 'z' {
			continue
		}
		if of = strings.TrimSuffix(of, path.Ext(of)); of != "" {
			base = of
			break
		}
	}
	base = cmp.Or(base, other)
	base = strings.Trim(plain().ReplaceAllString(strings.ToLower(base), "-"), "-")
	if base == "" {
		base = "job"
	}
	base = base[:min(len(base), 50)]
	name := base
	for n := 2; r.names[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	r.names[name] = true
	return name
}

var plain = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^a-z0-9]+`) })
