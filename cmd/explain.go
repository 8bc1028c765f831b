package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/daemon"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/explain"
	"evrun/tasks/expression"
)

// noName is what --kind has when no name is given.
const noName = " "

func newExplainCmd(e *env) *cobra.Command {
	o := &emitOptions{env: e}
	kind := ""
	c := &cobra.Command{
		Use:   "explain TYPE",
		Short: "Say what the handlers would do about an event, and why",
		Long: `Says for each handler whether it would run on such an event: the pattern that matches, what "when" comes to and which part
of it decided, the inputs as the kind would get them, and what would be emitted. It reads the wiring file alone: no daemon,
no store, and nothing is sent. What is made with env() or file() is shown as [secret].

With --kind NAME it describes a kind of handler and its inputs; --kind alone lists the kinds.

An event that would be refused, as its data breaks the schema of its type, is refused here too (exit 2). Exit 0, also where a
handler would skip the event or fail; 4 if no handler matches the type.`,
		Example: `  evrun explain user.registered -d '{"name":"Ada","email":"ada@example.com"}'
  evrun explain order.placed -d @order.json -o json
  evrun explain --kind user.insert`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case !c.Flags().Changed("kind") && len(args) != 1:
				return usage("explain takes one event type, such as user.registered, not %d arguments", len(args))
			case c.Flags().Changed("kind") && kind == noName && len(args) == 1:
				kind = args[0] // pflag takes --kind NAME for a flag without a value, and an argument
			case c.Flags().Changed("kind") && len(args) > 0:
				return usage("--kind describes a kind of handler, without an event type")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("kind") {
				return runExplainKind(e, strings.TrimSpace(kind))
			}
			o.typ = args[0]
			ev, err := o.event()
			if err != nil {
				return err
			}
			return o.refused(runExplain(o, ev))
		},
	}
	o.eventFlags(c.Flags())
	c.Flags().StringVar(&kind, "kind", "", "describe this kind of handler; without a name: list the kinds")
	c.Flags().Lookup("kind").NoOptDefVal = noName
	return c
}

// runExplain says what the wiring file would do about e.
func runExplain(o *emitOptions, e *events.Event) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	if err := daemon.NewEmitter(nil, cfg).Stamp(e); err != nil {
		return err
	}
	return o.explained(e, explain.Event(cfg.Wiring.Handlers, e, cfg.Secrets))
}

// dryRun asks the daemon what it would do about e; where there is none, the wiring file says.
func (o *emitOptions) dryRun(ctx context.Context, client *api.Client, e *events.Event) error {
	report, err := client.Explain(ctx, e)
	if errors.Is(err, api.ErrNoDaemon) {
		o.note("no daemon is running: this is what the wiring file says")
		return runExplain(o, e)
	}
	if err != nil {
		return err
	}
	return o.explained(e, report)
}

// explained prints a report, and gives the exit code where nothing matches.
func (o *emitOptions) explained(e *events.Event, r explain.Report) error {
	if o.env.json() {
		if err := o.printJSON(map[string]any{"explain": r}); err != nil {
			return err
		}
	} else {
		var b strings.Builder
		p := o.printer()
		head := p.paint(cyan, events.EscapeControl(e.Type))
		if len(e.Data) > 0 {
			head += "  " + events.EscapeControl(brief(string(e.Data)))
		}
		b.WriteString(head + "\n")
		for _, h := range r.Handlers {
			p.explainHandler(&b, h)
		}
		if _, err := o.out.Write([]byte(b.String())); err != nil {
			return err
		}
	}
	if r.Matched {
		return nil
	}
	err := fmt.Errorf("no handler matches %s", e.Type)
	if r.Hint != "" {
		err = fmt.Errorf("%w; %s", err, r.Hint)
	}
	return &exitError{code: exitNoHandler, err: err}
}

// line writes one of a handler's lines: a heading of fixed width, and the text.
func line(b *strings.Builder, heading, format string, args ...any) {
	fmt.Fprintf(b, "    %-8s  %s\n", heading, events.EscapeControl(fmt.Sprintf(format, args...)))
}

func (p *printer) explainHandler(b *strings.Builder, h explain.Handler) {
	verdict := map[string]string{"": p.paint(dim, "no match"), "run": p.paint(green, "would run"), "skip": p.paint(yellow, "would be skipped"),
		"fail": p.paint(red, "would fail")}[h.Would]
	fmt.Fprintf(b, "  %s: %s\n", p.paint(bold, h.Name), verdict)
	if !h.Matches {
		line(b, "on", "%s", strings.Join(h.On, ", "))
		return
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
	for _, em := range h.Emits {
		line(b, "emits", "%s", describeEmission(em, "of the handler's result"))
	}
	if h.OnDead != nil {
		line(b, "on_dead", "%s", describeEmission(*h.OnDead, "of what went wrong"))
	}
}

// explainPart tells what decided a condition; not what its text and verdict say already.
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
	if em.Subject != "" {
		s += " about " + em.Subject
	}
	if em.Data != nil {
		s += "  " + inJSON(em.Data)
	}
	if len(em.Unknown) > 0 {
		s += fmt.Sprintf("  (%s: %s)", strings.Join(em.Unknown, ", "), unknown)
	}
	if em.Error != "" {
		s += "  can't be made: " + em.Error
	}
	return s
}

// inJSON writes a value for people.
func inJSON(v any) string {
	text, err := tasks.MarshalData(v)
	switch {
	case err != nil:
		return fmt.Sprint(v)
	case text == nil:
		return "null"
	}
	return brief(string(text))
}

// brief cuts what is too long for a line.
func brief(s string) string {
	const most = 500
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
