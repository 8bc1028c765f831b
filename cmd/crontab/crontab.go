// Package crontab makes a wiring file of a crontab: the work of `evrun import crontab`. Each line becomes a schedule that runs its
// command as cron does: with the same shell, environment and standard input, once for a slot, no matter how long it takes. A line with
// @reboot becomes a handler on evrun.started. Whatever a wiring file can't have is left out and reported with its line; nothing is
// dropped silently.
//
//	r, err := crontab.Convert(text, crontab.Options{Zone: "Europe/Paris", Me: "root", Check: check})
//	os.Stdout.Write(r.Wiring)
//	for _, l := range r.Left { … }
//
// The days of the month and of the week are an alternative where both are restricted, as in cron: package slots has that rule too.
package crontab

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"evrun/cmd/foreign"
)

// maxText is how large a crontab may be, in bytes.
const maxText = 128 << 10

// Options say how a crontab is read.
type Options struct {
	Source string                   // what the comment at the top calls it; empty: standard input
	System bool                     // lines have a user before the command
	Zone   string                   // of the schedules; empty: UTC
	Me     string                   // the user that evrun will run as: commands of this user need no user key
	Home   func(user string) string // the directory where the commands of a user begin; nil or empty: it is not known
	// Check returns the faults of a wiring file by their lines, from 1. Line 0 is a fault of no line. nil: there are none.
	Check func(wiring []byte) (map[int]string, error)
}

// Left is something that was not carried over.
type Left = foreign.Left

// Result is a wiring file, which is valid.
type Result struct {
	Wiring    []byte
	Schedules int
	Handlers  int    // of lines with @reboot
	Left      []Left // by lines
}

// variable is an assignment in a crontab.
type variable struct{ name, value string }

// entry is a line that runs something.
type entry struct {
	line        int
	text        string // as it is in the crontab
	description string
	name        string
	cron        string
	reboot      bool // it has no schedule, and runs when the machine was started
	zone        string
	jitter      string
	user        string // empty: evrun's own
	shell       string // the program
	command     string
	stdin       string
	dir         string // empty: not known
	env         []variable
	hints       []string // for the comment above it
}

// Convert makes a wiring file of the text of a crontab. Lines whose schedule or handler does not pass o.Check are left out as well. The error says why there is
// no valid file at all.
func Convert(text []byte, o Options) (*Result, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("a crontab may have %d KiB", maxText>>10)
	}
	r := &reader{o: o, zone: cmp.Or(o.Zone, "UTC"), names: map[string]bool{}}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	n := 0
	for line := range bytes.Lines(text) {
		n++
		r.line(n, string(bytes.TrimRight(line, "\r\n")))
	}
	for {
		w := write(r.entries, r.left, o)
		wiring := []byte(w.String())
		if o.Check == nil {
			return r.result(wiring), nil
		}
		faults, err := o.Check(wiring)
		switch {
		case err != nil:
			return nil, err
		case len(faults) == 0:
			return r.result(wiring), nil
		case !r.drop(w.Faulty(faults)):
			return nil, errors.New("no valid wiring file can be made of it: " + foreign.First(faults))
		}
	}
}

func (r *reader) result(wiring []byte) *Result {
	result := &Result{Wiring: wiring, Left: r.left}
	for _, e := range r.entries {
		if e.reboot {
			result.Handlers++
		} else {
			result.Schedules++
		}
	}
	return result
}

// drop leaves out the entries that have faults. It returns false if none has.
func (r *reader) drop(wrong map[*entry]string) bool {
	r.entries = slices.DeleteFunc(r.entries, func(e *entry) bool {
		why, is := wrong[e]
		if is {
			r.leave(e.line, e.text, why)
		}
		return is
	})
	slices.SortStableFunc(r.left, func(a, b Left) int { return a.Line - b.Line })
	return len(wrong) > 0
}

// IsSystem reports whether a crontab looks like one with a column for the user: its path is one of the system's, a line has root there, which is no
// command, or each line has the name of a user.
func IsSystem(path string, text []byte, isUser func(string) bool) bool {
	if path == "/etc/crontab" || strings.HasPrefix(path, "/etc/cron.d/") {
		return true
	}
	seen, all := false, true
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if _, is := assignment(line); is {
			continue
		}
		_, rest, ok := timing(line)
		if !ok {
			continue
		}
		user, command := word(rest)
		if command != "" && user == "root" {
			return true
		}
		seen, all = true, all && command != "" && isUser(user)
	}
	return seen && all
}

// printable reports whether a line has only what a wiring file can have.
func printable(line string) bool {
	return utf8.ValidString(line) && strings.IndexFunc(line, func(c rune) bool { return c != '\t' && (unicode.IsControl(c) || c == utf8.RuneError) }) < 0
}
