// Package doctor looks for what is wrong with an evrun, or soon will be: its wiring file, store, disk, clock, socket, TCP port and daemon. It changes
// nothing, and needs none of them: what can't be looked at is a finding, too.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/cmd/config"
	"evrun/cmd/output"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/fault"
)

// Finding is one thing that was looked at.
type Finding = shape.CheckResult

// The levels of findings.
const (
	OK      = shape.OK
	Warning = shape.Warning
	Error   = shape.Error
)

// Options say what is looked at, and how.
type Options struct {
	Load     func() (*config.Config, error)                            // reads the wiring file, whole
	Settings func() (*config.Config, error)                            // reads its settings, where the rest is wrong
	Status   func(context.Context, *config.Config) (api.Status, error) // asks the daemon
	Version  string                                                    // of this evrun
	Reading  func() (done func())                                      // is called before the whole store is read; nil: nobody waits
	Full     bool                                                      // compare the store's tables with their indexes
	Quick    bool                                                      // read neither the whole store, nor ask other programs: the daemon looks at itself, while it works
}

// Examine returns what it finds.
func Examine(ctx context.Context, o Options) ([]Finding, error) {
	x := &examination{Options: o, now: time.Now()}
	x.file()
	x.socket(ctx)
	x.port(ctx)
	x.store(ctx)
	x.clock()
	x.service()
	if !o.Quick {
		x.spans(ctx)
	}
	return x.found, ctx.Err()
}

// Print prints a finding: the hint is below its text.
func Print(p *output.Printer, f Finding) error {
	if p.JSON {
		return p.Object(f)
	}
	const before = len("warning  integrity  ")
	color := map[shape.Level]string{OK: output.Green, Warning: output.Yellow, Error: output.Red}[f.Level]
	lines := func(text string) []string {
		text = events.EscapeControl(text)
		if p.Width == 0 {
			return []string{text}
		}
		return output.Wrap(text, max(p.Width-before, 20))
	}
	text := lines(f.Text)
	if f.Hint != "" {
		text = append(text, lines("hint: "+f.Hint)...)
	}
	head := p.Paint(color, fmt.Sprintf("%-7s", f.Level)) + fmt.Sprintf("  %-9s  ", f.Check)
	for _, line := range text {
		if _, err := fmt.Fprintln(p.Out, head+line); err != nil {
			return err
		}
		head = strings.Repeat(" ", before)
	}
	return nil
}

// examination has what the checks know of each other.
type examination struct {
	Options
	now    time.Time
	cfg    *config.Config // nil: the settings are not known
	daemon *api.Status    // nil: none has answered
	last   time.Time      // when the last event was accepted; zero: there is none
	marks  map[string]store.ScheduleMark
	found  []Finding
}

func (x *examination) add(check string, level shape.Level, hint, format string, args ...any) {
	x.found = append(x.found, Finding{Check: check, Level: level, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// file checks the wiring file as a daemon would.
func (x *examination) file() {
	cfg, err := x.Load()
	var faults *config.Errors
	switch {
	case errors.As(err, &faults):
		first := faults.Faults[0]
		hint := first.Hint
		if len(faults.Faults) > 1 || hint == "" {
			hint = "evrun validate shows all of it"
		}
		first.Hint = ""
		x.add("file", Error, hint, "%s: %s", fault.Plural(len(faults.Faults), "mistake"), first.String())
		if x.cfg, err = x.Settings(); err != nil {
			x.cfg = nil
			x.add("store", Warning, "mend the file first", "which store and socket it has is not known")
		}
		return
	case err != nil:
		x.add("file", Error, "", "%v", err)
		return
	}
	x.cfg = cfg
	for _, note := range cfg.Notes {
		x.add("file", Warning, "", "%s", note)
	}
	for _, w := range cfg.Warnings {
		x.add("file", Warning, w.Hint, "%s: %s", w.Place(), w.Message)
	}
	included := ""
	if n := len(cfg.Included); n > 0 {
		included = ", in it and " + fault.Plural(n, "included file")
	}
	hooks := ""
	if n := len(cfg.Wiring.Hooks); n > 0 {
		hooks = ", " + fault.Plural(n, "hook")
	}
	x.add("file", OK, "", "%s: %s, %s%s%s", cfg.Path, fault.Plural(len(cfg.Wiring.Handlers), "handler"), fault.Plural(len(cfg.Wiring.Schedules), "schedule"), hooks, included)
}

// within says how long until or since a time.
func (x *examination) within(t time.Time) string {
	return humanize.RelTime(t, x.now, "ago", "from now")
}

func size(bytes int64) string { return humanize.IBytes(uint64(max(0, bytes))) }
