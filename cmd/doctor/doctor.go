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
	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/cmd/output"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/fault"
)

// Finding is one thing that was looked at.
type Finding struct {
	Check string `json:"check"` // file, store, integrity, space, retention, clock, socket, tcp, tls, daemon, version, reload, runs, handlers, spans, service
	Level Level  `json:"level"`
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"` // what to do
}

// Level is how bad a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning" // it works, and may not for long
	Error   Level = "error"
)

// Options say what is looked at.
type Options struct {
	*cli.Env
	Full bool // compare the store's tables with their indexes
}

// Run prints what it finds. The error is silent.
func Run(ctx context.Context, o Options) error {
	x := &examination{Options: o, now: time.Now()}
	x.file()
	x.socket(ctx)
	x.port(ctx)
	x.store(ctx)
	x.clock()
	x.service()
	x.spans(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	failed := 0
	for _, f := range x.found {
		if f.Level == Error {
			failed++
		}
		if err := o.print(f); err != nil {
			return err
		}
	}
	if failed > 0 {
		return &cli.ExitError{Code: cli.ExitFailed, Err: fmt.Errorf("%s", fault.Plural(failed, "error")), Silent: true}
	}
	return nil
}

// print prints a finding: the hint is below its text.
func (o Options) print(f Finding) error {
	p := o.Printer()
	if p.JSON {
		return p.Object(f)
	}
	const before = len("warning  integrity  ")
	color := map[Level]string{OK: output.Green, Warning: output.Yellow, Error: output.Red}[f.Level]
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
		if _, err := fmt.Fprintln(o.Out, head+line); err != nil {
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

func (x *examination) add(check string, level Level, hint, format string, args ...any) {
	x.found = append(x.found, Finding{Check: check, Level: level, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// file checks the wiring file as a daemon would.
func (x *examination) file() {
	cfg, err := config.Load(x.Config, x.ConfigOptions())
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
