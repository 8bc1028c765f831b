package cmd

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"evrun/cmd/config"
	"evrun/cmd/output"
	"evrun/events"
	"evrun/tasks/explain"
	"evrun/tasks/fault"
)

// note prints a note for people on stderr, unless --quiet is given.
func (e *env) note(format string, args ...any) {
	if !e.quiet {
		fmt.Fprintln(e.err, e.wrapped("evrun: "+fmt.Sprintf(format, args...), ""))
	}
}

// wrapped breaks a line for stderr between words, if a terminal shows it; the lines after the first are indented.
func (e *env) wrapped(line, indent string) string {
	cells, _ := width(e.err)
	if cells <= 2*len(indent) {
		return line
	}
	return strings.Join(output.Wrap(line, cells-len(indent)), "\n"+indent)
}

// colored reports whether w gets colours.
func (e *env) colored(w io.Writer) bool {
	switch e.color {
	case "always":
		return true
	case "never":
		return false
	}
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	return e.terminal(w)
}

func (e *env) terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// printJSON writes one object on one line.
func (e *env) printJSON(v any) error {
	return events.WriteJSON(e.out, v)
}

// printer prints to the standard output as the flags say.
func (e *env) printer() *output.Printer {
	p := &output.Printer{Out: e.out, JSON: e.json(), Color: e.colored(e.out), Verbose: e.verbose}
	p.Width, p.Terminal = width(e.out)
	return p
}

// width is how many cells a line of a terminal has; not on a terminal, lines have no bound, and width is 0.
func width(w io.Writer) (cells int, terminal bool) {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(f) {
		return 0, false
	}
	if cells, _, _ = term.GetSize(int(f.Fd())); cells > 0 {
		return cells, true
	}
	if cells, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && cells > 0 { // a serial line doesn't know its size
		return cells, true
	}
	return 80, true
}

// list prints rows, or a note if there are none.
func list[T any](e *env, columns []output.Column[T], rows []T, none string) error {
	if len(rows) == 0 && !e.json() {
		e.note("%s", none)
		return nil
	}
	return output.List(e.printer(), columns, rows)
}

// limitFlag adds --limit, the number of rows of a list.
func limitFlag(c *cobra.Command, limit *int, usual int) {
	c.Flags().IntVarP(limit, "limit", "n", usual, "at most so many; 0: all")
}

// checkLimit refuses a limit below 0.
func checkLimit(limit int) error {
	if limit < 0 {
		return usage("--limit %d: not below 0", limit)
	}
	return nil
}

// explained prints what the handlers would do about an event. It fails if none matches.
func (e *env) explained(ev *events.Event, r explain.Report) error {
	if err := e.printer().Report(ev, r); err != nil || r.Matched {
		return err
	}
	return &exitError{code: exitNoHandler, err: fmt.Errorf("no handler matches %s%s", ev.Type, asHint(r.Hint))}
}

// asHint is a hint after a message.
func asHint(hint string) string {
	if hint == "" {
		return ""
	}
	return "; " + hint
}

// printFaults prints faults and warnings, one object a line.
func (e *env) printFaults(list []config.Fault) error {
	for _, f := range list {
		if err := e.printJSON(map[string]any{"fault": f}); err != nil {
			return err
		}
	}
	return nil
}

func unmarshal(body []byte, v any) error {
	if err := events.DecodeJSON(body, v); err != nil {
		return fmt.Errorf("the daemon's answer: %w", err)
	}
	return nil
}

// eventsOf is a number of events in words; with atMost it is an upper bound.
func eventsOf(n int64, atMost bool) string {
	text := fault.Plural(int(n), "event")
	if atMost {
		text = "at most " + text
	}
	return text
}

// newLogger makes a logger to stderr with the level and the format of the settings: auto is for people where they watch it on a terminal.
func (e *env) newLogger(s config.Settings) *slog.Logger {
	opt := &slog.HandlerOptions{Level: s.Log.Level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindTime {
			a.Value = slog.TimeValue(a.Value.Time().UTC())
		}
		return a
	}}
	switch {
	case s.Log.Format == "json":
		return slog.New(slog.NewJSONHandler(events.JSONWriter{W: e.err}, opt))
	case s.Log.Format == "auto" && e.terminal(e.err):
		return slog.New(output.LogHandler(e.err, s.Log.Level, e.colored(e.err)))
	}
	return slog.New(slog.NewTextHandler(e.err, opt))
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "devel"
}

// writeSchema writes the JSON Schema of the wiring file, to be read by people too.
func writeSchema(w io.Writer, draft string) error {
	return events.IndentJSON(w, config.JSONSchema(draft))
}
