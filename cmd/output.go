package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"evrun/cmd/api"
	"evrun/cmd/config"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/fault"
)

// note tells people something beside the output proper.
func (e *env) note(format string, args ...any) {
	if !e.quiet {
		fmt.Fprintf(e.err, "evrun: "+format+"\n", args...)
	}
}

// colored says whether w wants colours.
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

// printEvent writes {"event":{…}} on one line, with more members if extra has some.
func (e *env) printEvent(ev *events.Event, extra string) error {
	line, err := ev.AppendJSON([]byte(`{"event":`))
	if err != nil {
		return err
	}
	_, err = e.out.Write(events.EscapeJSON(append(append(line, extra...), "}\n"...)))
	return err
}

// printer writes events and runs, one a line each: for tail, and for emit with --wait.
type printer struct {
	e     *env
	color bool
}

func (e *env) printer() *printer { return &printer{e: e, color: e.colored(e.out)} }

// paint wraps text in a terminal's colour.
func (p *printer) paint(code, text string) string {
	if !p.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const (
	dim    = "2"
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (p *printer) event(ev *events.Event) error {
	if p.e.json() {
		return p.e.printEvent(ev, "")
	}
	data := ""
	if len(ev.Data) > 0 {
		data = "  " + events.EscapeControl(string(ev.Data))
	}
	subject := ""
	if ev.Subject != "" {
		subject = " " + events.EscapeControl(ev.Subject)
	}
	_, err := fmt.Fprintf(p.e.out, "%s  %s  %s%s%s\n", p.paint(dim, ev.Time.Format(time.RFC3339)), p.paint(dim, fmt.Sprintf("#%d", ev.Sequence)),
		p.paint(cyan, events.EscapeControl(ev.Type)), subject, data)
	return err
}

func (p *printer) run(r api.Run) error {
	if p.e.json() {
		return p.e.printJSON(map[string]any{"run": r})
	}
	color := map[string]string{"succeeded": green, "dead": red, "retrying": yellow}[r.State]
	if color == "" {
		color = dim
	}
	why := ""
	if r.Error != "" {
		why = ": " + events.EscapeControl(r.Error)
	}
	if r.Joined != "" {
		why = ": joined " + events.EscapeControl(r.Joined)
	}
	attempt := ""
	if r.Attempt > 1 {
		attempt = fmt.Sprintf(" (attempt %d)", r.Attempt)
	}
	when := ""
	if at := runTime(r); !at.IsZero() {
		when = at.Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(p.e.out, "%s  %s    %s %s%s%s\n", p.paint(dim, when), p.paint(dim, fmt.Sprintf("#%d", r.Sequence)),
		r.Handler, p.paint(color, r.State), attempt, why)
	return err
}

// runTime is when a run finished or, while it goes on, when its last attempt started; zero before the first.
func runTime(r api.Run) time.Time {
	switch {
	case r.FinishedAt != nil:
		return *r.FinishedAt
	case r.StartedAt != nil:
		return *r.StartedAt
	}
	return time.Time{}
}

// item prints what the daemon sent as JSON: an "event" or a "run".
func (p *printer) item(kind string, body []byte) error {
	switch kind {
	case "event":
		var ev events.Event
		if err := ev.UnmarshalJSON(body); err != nil {
			return fmt.Errorf("the daemon's answer: %w", err)
		}
		return p.event(&ev)
	case "run":
		var r api.Run
		if err := unmarshal(body, &r); err != nil {
			return err
		}
		return p.run(r)
	}
	return nil
}

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// indent makes text of several lines fit for a terminal, with something before each line.
func indent(text, before string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(before + events.EscapeControl(strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    ")) + "\n")
	}
	return b.String()
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

// listPage is how many rows a list reads at a time; a table's columns are aligned within it.
const listPage = 1000

func unmarshal(body []byte, v any) error {
	if err := events.DecodeJSON(body, v); err != nil {
		return fmt.Errorf("the daemon's answer: %w", err)
	}
	return nil
}

// eventsOf is a number of events in words; atMost: it is a bound.
func eventsOf(n int64, atMost bool) string {
	text := fault.Plural(int(n), "event")
	if atMost {
		text = "at most " + text
	}
	return text
}

// age is how long ago t was, without what doesn't matter.
func age(t time.Time) string {
	d := time.Since(t).Round(time.Second)
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}

// newLogger writes the log as the settings say.
func newLogger(s config.Settings, w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: s.Log.Level}
	if s.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(events.JSONWriter{W: w}, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
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

// runs prints a page of runs: as a table, or one a line.
func (p *printer) runs(page []api.Run, header bool) error {
	if p.e.json() {
		for _, r := range page {
			if err := p.e.printJSON(r); err != nil {
				return err
			}
		}
		return nil
	}
	table := newTable(p.e.out)
	if header {
		fmt.Fprintln(table, "RUN\tSTATE\tATTEMPT\tTYPE\tTIME\tERROR")
	}
	for _, r := range page {
		text, _, _ := strings.Cut(r.Error, "\n")
		if r.Reason != "" {
			text = strings.TrimSuffix(r.Reason+": "+text, ": ")
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", events.EscapeControl(r.ID), r.State, r.Attempt, orDash(events.EscapeControl(r.Type)),
			runTime(r).Format(time.RFC3339), fault.Clip(events.EscapeControl(text), 100))
	}
	return table.Flush()
}

// showEvent prints an event's attributes and its data, with something before each line.
func (e *env) showEvent(ev *events.Event, before string) error {
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(e.out, "%s%-13s  %s\n", before, name, events.EscapeControl(value))
		}
	}
	row("id", ev.ID)
	row("source", ev.Source)
	row("type", ev.Type)
	row("subject", ev.Subject)
	row("time", ev.Time.Format(time.RFC3339Nano))
	row("content type", ev.DataContentType)
	row("schema", ev.DataSchema)
	if ev.Chain != ev.Sequence {
		row("chain", "#"+strconv.FormatInt(ev.Chain, 10))
	}
	if ev.CorrelationID != ev.ID {
		row("correlation", ev.CorrelationID)
	}
	row("cause", ev.CausationID)
	names := make([]string, 0, len(ev.Extensions))
	for name := range ev.Extensions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		row(name, fmt.Sprint(ev.Extensions[name]))
	}
	if len(ev.Data) == 0 {
		return nil
	}
	data := string(ev.Data)
	var b bytes.Buffer
	if ev.IsJSON() && json.Indent(&b, ev.Data, "", "  ") == nil {
		data = b.String()
	}
	_, err := fmt.Fprintf(e.out, "%sdata\n%s", before, indent(data, before+"  "))
	return err
}

// printSchedules writes a table.
func printSchedules(w io.Writer, list []api.Schedule) error {
	table := newTable(w)
	fmt.Fprint(table, "SCHEDULE\tNEXT\tWHEN\tEMITS\n")
	for _, s := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Name, nextOf(s), events.EscapeControl(s.When), s.Emit)
	}
	return table.Flush()
}

// nextOf is a schedule's next slot, or why there is none.
func nextOf(s api.Schedule) string {
	switch {
	case s.Next == nil:
		return "no more"
	case s.Paused != "":
		return pausedBy(s)
	case s.Waiting:
		return "waits for its last runs"
	}
	return s.Next.Format(time.RFC3339)
}

func pausedBy(s api.Schedule) string {
	if s.Paused == "file" {
		return "paused in the file"
	}
	return "paused"
}

// stateOf is a handler's state in words.
func stateOf(h tasks.HandlerStatus) string {
	if h.State == tasks.StateLeft && h.LeftAt != nil {
		return "left " + age(*h.LeftAt) + " ago"
	}
	return h.State
}

// writeSchema writes the JSON Schema of the wiring file, to be read by people too.
func writeSchema(w io.Writer) error {
	return events.IndentJSON(w, config.JSONSchema())
}
