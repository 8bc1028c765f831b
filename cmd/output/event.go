package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks/trace"
)

// Event writes an event on one line.
func (p *Printer) Event(ev *events.Event) error {
	if p.JSON {
		return p.EventObject(ev, "")
	}
	data := ""
	switch {
	case len(ev.Data) > 0:
		data = "  " + events.EscapeControl(string(ev.Data))
	case !ev.ErasedAt.IsZero():
		data = "  (erased)"
	}
	subject := ""
	if ev.Subject != "" {
		subject = " " + events.EscapeControl(ev.Subject)
	}
	return p.printf("%s  %s  %s%s%s\n", p.Paint(Dim, p.Clock(ev.Time)), p.Paint(Dim, fmt.Sprintf("#%d", ev.Sequence)),
		p.Paint(Cyan, events.EscapeControl(ev.Type)), subject, data)
}

// Item writes an "event" or a "run", which the daemon sent as JSON, on one line.
func (p *Printer) Item(kind string, body []byte) error {
	switch kind {
	case "event":
		var ev events.Event
		if err := ev.UnmarshalJSON(body); err != nil {
			return fmt.Errorf("the daemon's answer: %w", err)
		}
		return p.Event(&ev)
	case "run":
		var r api.Run
		if err := events.DecodeJSON(body, &r); err != nil {
			return fmt.Errorf("the daemon's answer: %w", err)
		}
		return p.Run(r)
	}
	return nil
}

// Events are the columns of a list of events.
func Events() []Column[*events.Event] {
	return []Column[*events.Event]{
		{Title: "SEQ", Text: func(ev *events.Event) any { return ev.Sequence }},
		{Title: "TIME", Text: func(ev *events.Event) any { return ev.Time }},
		{Title: "TYPE", Text: func(ev *events.Event) any { return ev.Type }, Least: 16},
		{Title: "ID", Text: func(ev *events.Event) any { return ev.ID }, Rank: 3, Least: 36},
		{Title: "SOURCE", Text: func(ev *events.Event) any { return ev.Source }, Rank: 2, Least: 20},
		{Title: "DATA", Text: func(ev *events.Event) any { return string(ev.Data) }, Rank: 1, Least: 20, Most: 101},
	}
}

// EventDetails writes an event's attributes and its data. Each line begins with before.
func (p *Printer) EventDetails(ev *events.Event, before string) error {
	var b strings.Builder
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s%-13s  %s\n", before, name, events.EscapeControl(value))
		}
	}
	row("id", ev.ID)
	row("source", ev.Source)
	row("type", ev.Type)
	row("subject", ev.Subject)
	row("time", p.Time(ev.Time))
	if !ev.ErasedAt.IsZero() {
		row("erased", p.Time(ev.ErasedAt))
	}
	row("content type", ev.DataContentType)
	row("schema", ev.DataSchema)
	if ev.Chain != ev.Sequence {
		row("chain", "#"+strconv.FormatInt(ev.Chain, 10))
	}
	if ev.CorrelationID != ev.ID {
		row("correlation", ev.CorrelationID)
	}
	row("cause", ev.CausationID)
	row("target", ev.Target)
	if ev.ReplayOf != 0 {
		row("replay of", "#"+strconv.FormatInt(ev.ReplayOf, 10))
	}
	if c, ok := trace.Of(ev); ok {
		row("trace", c.TraceID.String())
	}
	for _, name := range slices.Sorted(maps.Keys(ev.Extensions)) {
		row(name, fmt.Sprint(ev.Extensions[name]))
	}
	if len(ev.Data) > 0 {
		data := string(ev.Data)
		var indented bytes.Buffer
		if ev.IsJSON() && json.Indent(&indented, ev.Data, "", "  ") == nil {
			data = indented.String()
		}
		fmt.Fprintf(&b, "%sdata\n%s", before, indent(data, before+"  "))
	}
	return p.printf("%s", b.String())
}

// indent escapes text. Each line begins with before.
func indent(text, before string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(before + events.EscapeControl(strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    ")) + "\n")
	}
	return b.String()
}
