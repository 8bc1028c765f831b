package crontab

import (
	"slices"

	"evrun/cmd/foreign"
	"evrun/events"
	"evrun/tasks/schedule/slots"
)

type writer struct{ foreign.Writer[*entry] }

// write writes the file. The variables that all entries share are the environment of all commands.
func write(entries []*entry, left []Left, o Options) *writer {
	w := &writer{}
	w.Line("# Made of the crontab %s by \"evrun import crontab\". Look at it with \"evrun schedules next -c FILE\", and run it with \"evrun serve FILE\".", foreign.Source(o.Source))
	w.Line("# As in cron, a command that fails is not tried again (retry), and a slot that passes while evrun is stopped is left out (missed).")
	w.Left("These lines were not carried over:", left)
	w.Line("")
	shared := sharedEnv(entries)
	if len(shared) > 0 {
		w.Line("env:")
		for _, v := range shared {
			w.Line("  %s: %s", v.name, foreign.Quoted(foreign.Escaped(v.value)))
		}
		w.Line("")
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
		w.Line("timezone: %s\n", foreign.Quoted(zone))
	}
	if slices.ContainsFunc(timed, func(e *entry) bool { return e.description != "" }) {
		w.Line("events:")
		w.Each(timed, func(e *entry) {
			if e.description != "" {
				w.Line("  schedule.%s: {description: %s}", e.name, foreign.Quoted(e.description))
			}
		})
		w.Line("")
	}
	if len(timed) == 0 {
		w.Line("schedules: []")
	} else {
		w.Line("schedules:")
	}
	w.Each(timed, func(e *entry) {
		w.hints(e)
		w.Line("  - name: %s", e.name)
		if monthly, weekly, either := slots.Calendar(e.cron); either {
			w.Line("    monthly: %s", foreign.Quoted(monthly))
			w.Line("    weekly: %s", foreign.Quoted(weekly))
		} else {
			w.Line("    cron: %s", foreign.Quoted(e.cron))
		}
		if zone == "" {
			w.Line("    timezone: %s", foreign.Quoted(e.zone))
		}
		if e.jitter != "" {
			w.Line("    jitter: %s", e.jitter)
		}
		w.Line("    missed: skip")
		w.work(e, shared)
	})
	if len(started) > 0 {
		w.Line("\nhandlers:")
	}
	w.Each(started, func(e *entry) {
		w.hints(e)
		w.Line("  - name: %s", e.name)
		w.Line("    on: %s", events.TypeStarted)
		w.Line("    when: data.reboot")
		w.work(e, shared)
	})
	return w
}

func (w *writer) hints(e *entry) {
	for _, h := range e.hints {
		w.Line("  # %s", h)
	}
}

// work writes what is the same in a schedule and in a handler.
func (w *writer) work(e *entry, shared []variable) {
	w.Line("    do: exec")
	w.Line("    with:")
	if e.shell == "/bin/sh" {
		w.Line("      shell: %s", foreign.Quoted(foreign.Escaped(e.command)))
	} else {
		w.Line("      command: [%s, -c, %s]", foreign.Quoted(foreign.Escaped(e.shell)), foreign.Quoted(foreign.Escaped(e.command)))
	}
	w.Line("      stdin: %s", foreign.Quoted(foreign.Escaped(e.stdin)))
	if e.dir != "" {
		w.Line("      dir: %s", foreign.Quoted(foreign.Escaped(e.dir)))
	}
	if e.user != "" {
		w.Line("      user: %s", foreign.Quoted(e.user))
	}
	if len(shared) == 0 && len(e.env) > 0 {
		w.Line("      env:")
		for _, v := range e.env {
			w.Line("        %s: %s", v.name, foreign.Quoted(foreign.Escaped(v.value)))
		}
	}
	w.Line("    timeout: 24h")
	w.Line("    retry: {attempts: 1}")
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
