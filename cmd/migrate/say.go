package migrate

import (
	"fmt"
	"strings"
	"time"

	"evrun/cmd/config"
	"evrun/events"
	"evrun/tasks/fault"
)

// say prints what was moved.
func (o *Options) say(m *Moved, cfg *config.Config) error {
	if o.JSON() {
		return events.WriteJSON(o.Out, m)
	}
	if m.Already {
		_, err := fmt.Fprintf(o.Out, "%s has moved to %s already, up to #%d\n", events.EscapeControl(m.From), events.EscapeControl(m.To), m.Sequence)
		return err
	}
	var b strings.Builder
	rows := func(n int64) string { return fault.Plural(int(n), "row") }
	evs := int64(0)
	for _, t := range m.Tables {
		if t.Name == "events" && !t.Own {
			evs = t.Rows
		}
	}
	verb := "moved"
	if m.DryRun {
		verb = "would move"
	}
	from, to := events.EscapeControl(m.From), events.EscapeControl(m.To)
	fmt.Fprintf(&b, "%s %s to %s: %s up to #%d", verb, from, to, fault.Plural(int(evs), "event"), m.Sequence)
	if !m.DryRun {
		fmt.Fprintf(&b, ", in %v", (time.Duration(m.TookMS * float64(time.Millisecond))).Round(10*time.Millisecond))
	}
	if m.Resumed {
		b.WriteString("; it had been interrupted, and went on")
	}
	b.WriteString("\n")
	for _, t := range m.Tables {
		t.Name, t.Definition = events.EscapeControl(t.Name), events.EscapeControl(t.Definition)
		switch {
		case t.Own && t.Checked == "count":
			fmt.Fprintf(&b, "your table %s: %s, of which the number was compared: its columns have other types there\n", t.Name, rows(t.Rows))
		case t.Own:
			fmt.Fprintf(&b, "your table %s: %s\n", t.Name, rows(t.Rows))
		}
		if t.Definition != "" {
			fmt.Fprintf(&b, "  made there, unless it exists: %s\n", t.Definition)
		}
		if t.Replaced > 0 {
			fmt.Fprintf(&b, "%s of %s had characters that PostgreSQL does not store, which were replaced: NUL, or what is not UTF-8\n", rows(t.Replaced), t.Name)
		}
	}
	if len(m.NotCopied) > 0 {
		names := make([]string, len(m.NotCopied))
		for i, t := range m.NotCopied {
			names[i] = fmt.Sprintf("%s (%s)", events.EscapeControl(t.Name), rows(t.Rows))
		}
		fmt.Fprintf(&b, "not copied, since --tables does not name them: your own tables %s\n", strings.Join(names, ", "))
	}
	if !m.DryRun {
		b.WriteString("each table was read there once more, and has the same rows\n")
		if cfg != nil && cfg.Settings.Store.String() != m.To {
			fmt.Fprintf(&b, "now set store: %s in the wiring file, and start evrun serve; %s can't be used any more, and can be removed once all is well\n", to, from)
		}
	}
	_, err := fmt.Fprint(o.Out, b.String())
	return err
}
