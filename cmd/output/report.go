package output

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"evrun/events"
	"evrun/tasks/control"
	"evrun/tasks/emitter"
	"evrun/tasks/explain"
	"evrun/tasks/expression"
)

// Report writes what the handlers would do about an event.
func (p *Printer) Report(ev *events.Event, r explain.Report) error {
	if p.JSON {
		return p.Object(map[string]any{"explain": r})
	}
	var b strings.Builder
	b.WriteString(p.Paint(Cyan, events.EscapeControl(ev.Type)))
	if len(ev.Data) > 0 {
		b.WriteString("  " + events.EscapeControl(brief(string(ev.Data))))
	}
	b.WriteByte('\n')
	for _, h := range r.Handlers {
		p.explainHandler(&b, h)
	}
	if r.Final && !r.Matched {
		b.WriteString("  no handler is wired to it: its type is final\n")
	}
	return p.printf("%s", b.String())
}

// line writes one of a handler's lines: a heading of fixed width, and the text.
func line(b *strings.Builder, heading, format string, args ...any) {
	fmt.Fprintf(b, "    %-8s  %s\n", heading, events.EscapeControl(fmt.Sprintf(format, args...)))
}

func (p *Printer) explainHandler(b *strings.Builder, h explain.Handler) {
	verdict := map[string]string{"": p.Paint(Dim, "no match"), "run": p.Paint(Green, "would run"), "skip": p.Paint(Yellow, "would be skipped"),
		"fail": p.Paint(Red, "would fail")}[h.Would]
	fmt.Fprintf(b, "  %s: %s\n", p.Paint(Bold, h.Name), verdict)
	if !h.Matches {
		line(b, "on", "%s", strings.Join(h.On, ", "))
		return
	}
	if h.About != "" {
		line(b, "about", "%s", brief(strings.ReplaceAll(h.About, "\n", " ")))
	}
	if len(h.Labels) > 0 {
		line(b, "labels", "%s", strings.Join(control.LabelTexts(h.Labels), ", "))
	}
	line(b, "on", "%s matches; do %s", h.Pattern, h.Kind)
	if w := h.When; w != nil {
		switch {
		case w.Error != "":
			line(b, "when", "%s can't be evaluated: %s", w.Text, w.Error)
		default:
			line(b, "when", "%s is %v", w.Text, w.Value)
			for _, part := range w.Why {
				explainPart(b, w.Text, part)
			}
		}
	}
	heading := "with"
	for _, name := range slices.Sorted(maps.Keys(h.With)) {
		line(b, heading, "%s: %s", name, inJSON(h.With[name]))
		heading = ""
	}
	for _, text := range h.Errors {
		line(b, "error", "%s", text)
	}
	if h.Would == "skip" || h.When != nil && h.When.Error != "" {
		return
	}
	if o := h.OrderBy; o != nil && o.Error != "" {
		line(b, "order_by", "%s can't be evaluated: %s", o.Text, o.Error)
	} else if o != nil {
		line(b, "order_by", "%s, which is %s", o.Text, inJSON(o.Key))
	}
	if d := h.Debounce; d != nil {
		line(b, "debounce", "%s", describeDebounce(*d))
	}
	retry := fmt.Sprintf("%d attempts, first %s apart, at most %s", h.Policy.Attempts, h.Policy.Backoff, h.Policy.Max)
	if h.Policy.Attempts == 1 {
		retry = "1 attempt"
	}
	if h.Policy.Timeout != "" {
		retry += "; timeout " + h.Policy.Timeout
	}
	if h.Policy.Rate != "" {
		retry += "; at most " + h.Policy.Rate
	}
	line(b, "retry", "%s; %d at a time", retry, h.Policy.Concurrency)
	explainEmits(b, h)
}

func explainEmits(b *strings.Builder, h explain.Handler) {
	for i, em := range h.Emits {
		if i == maxEmits && len(h.Emits) > i+1 {
			line(b, "emits", "… and %d more", len(h.Emits)-i)
			break
		}
		line(b, "emits", "%s", describeEmission(em, "of the handler's result"))
	}
	if h.OnDead != nil {
		line(b, "on_dead", "%s", describeEmission(*h.OnDead, "of what went wrong"))
	}
}

// maxEmits is how many events of one run a report for people lists.
const maxEmits = 20

// explainPart writes what decided a condition, without what its text and verdict already say.
func explainPart(b *strings.Builder, whole string, part expression.Part) {
	var reads []string
	for _, r := range part.Reads {
		reads = append(reads, fmt.Sprintf("%s is %s", r.Text, inJSON(r.Value)))
	}
	switch read := strings.Join(reads, ", "); {
	case part.Text != whole && read != "":
		line(b, "", "%s is %v: %s", part.Text, part.Value, read)
	case part.Text != whole:
		line(b, "", "%s is %v", part.Text, part.Value)
	case read != "":
		line(b, "", "%s", read)
	}
}

func describeDebounce(d explain.Debounce) string {
	if d.Error != "" {
		return fmt.Sprintf("by %s can't be evaluated: %s", d.By, d.Error)
	}
	s := fmt.Sprintf("one run when nothing has come for %s, after %s at most", d.Wait, d.MaxWait)
	if d.By != "" {
		s += fmt.Sprintf("; by %s, which is %s", d.By, inJSON(d.Key))
	}
	if d.Collect == "all" {
		return s + "; it sees all events"
	}
	return s + "; it sees the last event"
}

func describeEmission(em explain.Emission, unknown string) string {
	s := em.Type
	if em.Empty {
		return s + "  for no element: the list of for_each is empty"
	}
	if em.Subject != "" {
		s += " about " + em.Subject
	}
	if em.Data != nil {
		s += "  " + inJSON(em.Data)
	}
	if len(em.Unknown) > 0 {
		s += fmt.Sprintf("  (%s: %s)", strings.Join(em.Unknown, ", "), unknown)
	}
	if em.ForEach != "" && em.Index == nil {
		s += "  for each element of " + brief(em.ForEach)
	}
	if em.Error != "" {
		s += "  can't be made: " + em.Error
	}
	return s
}

// inJSON writes a value for people.
func inJSON(v any) string {
	text, err := emitter.MarshalData(v)
	switch {
	case err != nil:
		return fmt.Sprint(v)
	case text == nil:
		return "null"
	}
	return brief(string(text))
}

// brief shortens a text that is too long for a line.
func brief(s string) string {
	const most = 500
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
