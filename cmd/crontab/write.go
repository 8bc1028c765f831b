package crontab

import (
	"fmt"
	"slices"
	"strings"

	"evrun/cmd/foreign"
	"evrun/events"
	"evrun/tasks/schedule/slots"
)

// place is where an entry stands in the wiring file: lines from 1, without to.
type place struct{ entry, from, to int }

// writer writes a wiring file, and notes the places of entries.
type writer struct {
	strings.Builder
	lines  int
	places []place
}

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format+"\n", args...)
	w.lines++
}

// each writes a part of every entry.
func (w *writer) each(entries []*entry, part func(*entry)) {
	for _, e := range entries {
		from := w.lines + 1
		part(e)
		w.places = append(w.places, place{e.line, from, w.lines + 1})
	}
}

// write writes the file. The variables that all entries share are the environment of all commands.
func write(entries []*entry, left []Left, o Options) ([]byte, []place) {
	w := &writer{}
	source := "standard input"
	if o.Source != "" {
		source = o.Source
	}
	w.line("# Made of the crontab %s by \"evrun import crontab\". Look at it with \"evrun schedules next -c FILE\", and run it with \"evrun serve FILE\".", foreign.Comment(source))
	w.line("# As in cron, a command that fails is not tried again (retry), and a slot that passes while evrun is stopped is left out (missed).")
	for i, l := range left {
		if i == 0 {
			w.line("#\n# These lines were not carried over:")
			w.lines++
		}
		w.line("#   %d: %s", l.Line, foreign.Comment(l.Text))
		w.line("#      %s", foreign.Comment(l.Reason))
	}
	w.line("")
	shared := sharedEnv(entries)
	if len(shared) > 0 {
		w.line("env:")
		for _, v := range shared {
			w.line("  %s: %s", v.name, foreign.Quoted(foreign.Escaped(v.value)))
		}
		w.line("")
	}
	var timed, started []*entry
	for _, e := range entries {
		if e.reboot {
			started = append(started, e)
		} else {
			timed = append(timed, e)
		}
	}
	zone := sharedZone(timed)
	if zone != "" {
		w.line("timezone: %s\n", foreign.Quoted(zone))
		w.lines++
	}
	if slices.ContainsFunc(timed, func(e *entry) bool { return e.description != "" }) {
		w.line("events:")
		w.each(timed, func(e *entry) {
			if e.description != "" {
				w.line("  schedule.%s: {description: %s}", e.name, foreign.Quoted(e.description))
			}
		})
		w.line("")
	}
	if len(timed) == 0 {
		w.line("schedules: []")
	} else {
		w.line("schedules:")
	}
	w.each(timed, func(e *entry) {
		w.hints(e)
		w.line("  - name: %s", e.name)
		if monthly, weekly, either := slots.Calendar(e.cron); either {
			w.line("    monthly: %s", foreign.Quoted(monthly))
			w.line("    weekly: %s", foreign.Quoted(weekly))
		} else {
			w.line("    cron: %s", foreign.Quoted(e.cron))
		}
		if zone == "" {
			w.line("    timezone: %s", foreign.Quoted(e.zone))
		}
		if e.jitter != "" {
			w.line("    jitter: %s", e.jitter)
		}
		w.line("    missed: skip")
		w.work(e, shared)
	})
	if len(started) > 0 {
		w.line("\nhandlers:")
		w.lines++
	}
	w.each(started, func(e *entry) {
		w.hints(e)
		w.line("  - name: %s", e.name)
		w.line("    on: %s", events.TypeStarted)
		w.line("    when: data.reboot")
		w.work(e, shared)
	})
	return []byte(w.String()), w.places
}

func (w *writer) hints(e *entry) {
	for _, h := range e.hints {
		w.line("  # %s", h)
	}
}

// work writes what is the same in a schedule and in a handler.
func (w *writer) work(e *entry, shared []variable) {
	w.line("    do: exec")
	w.line("    with:")
	if e.shell == "/bin/sh" {
		w.line("      shell: %s", foreign.Quoted(foreign.Escaped(e.command)))
	} else {
		w.line("      command: [%s, -c, %s]", foreign.Quoted(foreign.Escaped(e.shell)), foreign.Quoted(foreign.Escaped(e.command)))
	}
	w.line("      stdin: %s", foreign.Quoted(foreign.Escaped(e.stdin)))
	if e.dir != "" {
		w.line("      dir: %s", foreign.Quoted(foreign.Escaped(e.dir)))
	}
	if e.user != "" {
		w.line("      user: %s", foreign.Quoted(e.user))
	}
	if len(shared) == 0 && len(e.env) > 0 {
		w.line("      env:")
		for _, v := range e.env {
			w.line("        %s: %s", v.name, foreign.Quoted(foreign.Escaped(v.value)))
		}
	}
	w.line("    timeout: 24h")
	w.line("    retry: {attempts: 1}")
}

// sharedZone returns the zone of the schedules if all have the same.
func sharedZone(timed []*entry) string {
	if len(timed) == 0 || slices.ContainsFunc(timed, func(e *entry) bool { return e.zone != timed[0].zone }) {
		return ""
	}
	return timed[0].zone
}

// sharedEnv returns the variables of the entries if all have the same.
func sharedEnv(entries []*entry) []variable {
	for _, e := range entries {
		if !slices.Equal(e.env, entries[0].env) {
			return nil
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return entries[0].env
}
