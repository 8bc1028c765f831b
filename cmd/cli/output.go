package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"evrun/cmd/config"
	"evrun/cmd/config/settings"
	"evrun/cmd/output"
	"evrun/events"
	"evrun/tasks/explain"
)

// Note prints a note for people on stderr, unless --quiet is given.
func (e *Env) Note(format string, args ...any) {
	if !e.Quiet {
		fmt.Fprintln(e.Err, e.wrapped("evrun: "+fmt.Sprintf(format, args...), ""))
	}
}

// NoteWaiting notes that something waits in the store ("the event waits"), because no daemon runs.
func (e *Env) NoteWaiting(what string, cfg *config.Config) {
	if at := cfg.Settings.Store; at.Shared() {
		e.Note("no daemon is running here: %s in %s for one that shares it (evrun status lists them)", what, at)
		return
	}
	e.Note("no daemon is running: %s in %s for evrun serve", what, cfg.Settings.Store)
}

// wrapped breaks a line for stderr between words, if a terminal shows it; the lines after the first are indented.
func (e *Env) wrapped(line, indent string) string {
	cells, _ := Width(e.Err)
	if cells <= 2*len(indent) {
		return line
	}
	return strings.Join(output.Wrap(line, cells-len(indent)), "\n"+indent)
}

// Colored reports whether w gets colours.
func (e *Env) Colored(w io.Writer) bool {
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

func (e *Env) terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// PrintJSON writes one object on one line.
func (e *Env) PrintJSON(v any) error {
	return events.WriteJSON(e.Out, v)
}

// Printer prints to the standard output as the flags say.
func (e *Env) Printer() *output.Printer {
	p := &output.Printer{Out: e.Out, JSON: e.JSON(), Color: e.Colored(e.Out), Verbose: e.Verbose, Version: Version()}
	p.Width, p.Terminal = Width(e.Out)
	return p
}

// Width is how many cells a line of a terminal has; not on a terminal, lines have no bound, and width is 0.
func Width(w io.Writer) (cells int, terminal bool) {
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

// List prints rows, or a note if there are none.
func List[T any](e *Env, columns []output.Column[T], rows []T, none string) error {
	if len(rows) == 0 && !e.JSON() {
		e.Note("%s", none)
		return nil
	}
	return output.List(e.Printer(), columns, rows)
}

// Explained prints what the handlers would do about an event. It fails if none matches.
func (e *Env) Explained(ev *events.Event, r explain.Report) error {
	if err := e.Printer().Report(ev, r); err != nil || r.Matched || r.Final {
		return err
	}
	return &ExitError{Code: ExitNoHandler, Err: fmt.Errorf("no handler matches %s%s", ev.Type, AsHint(r.Hint))}
}

// AsHint is a hint after a message.
func AsHint(hint string) string {
	if hint == "" {
		return ""
	}
	return "; " + hint
}

// NewLogger makes a logger to stderr with the level and the format of the settings: auto is for people where they watch it on a terminal.
func (e *Env) NewLogger(s settings.Settings) *slog.Logger {
	opt := &slog.HandlerOptions{Level: s.Log.Level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindTime {
			a.Value = slog.TimeValue(a.Value.Time().UTC())
		}
		return a
	}}
	switch {
	case s.Log.Format == "json":
		return slog.New(slog.NewJSONHandler(events.JSONWriter{W: e.Err}, opt))
	case s.Log.Format == "auto" && e.terminal(e.Err):
		return slog.New(output.LogHandler(e.Err, s.Log.Level, e.Colored(e.Err)))
	}
	return slog.New(slog.NewTextHandler(e.Err, opt))
}

// WriteSchema writes the JSON Schema of the wiring file, to be read by people too.
func WriteSchema(w io.Writer, draft string) error {
	return events.IndentJSON(w, config.JSONSchema(draft))
}
