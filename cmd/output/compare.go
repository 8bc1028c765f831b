package output

import (
	"fmt"
	"strings"

	"evrun/events"
	"evrun/tasks/compare"
	"evrun/tasks/fault"
)

// Comparison writes what two wirings would do with the same events: the counts of each handler, and examples of differences, by handler.
func (p *Printer) Comparison(c *compare.Comparison, examples map[string][]compare.Difference) error {
	if err := p.printf("%s compared, %d with differences\n", fault.Plural(c.Events, "event"), c.Differ); err != nil {
		return err
	}
	if c.Refused.Before != c.Refused.After {
		if err := p.printf("refused, because the data doesn't fit: %s\n", change(c.Refused.Before, c.Refused.After)); err != nil {
			return err
		}
	}
	if err := p.printf("\n"); err != nil {
		return err
	}
	if err := List(p, comparedHandlers(), c.Handlers()); err != nil {
		return err
	}
	for _, d := range examples[""] {
		if err := p.difference("", d); err != nil {
			return err
		}
	}
	for _, h := range c.Handlers() {
		for i, d := range examples[h.Name] {
			title := ""
			if i == 0 {
				title = h.Name
			}
			if err := p.difference(title, d); err != nil {
				return err
			}
		}
	}
	return nil
}

func comparedHandlers() []Column[*compare.Handler] {
	count := func(title string, of func(*compare.Counts) int) Column[*compare.Handler] {
		return Column[*compare.Handler]{Title: title, Text: func(h *compare.Handler) any {
			switch {
			case h.Before == nil:
				return of(h.After)
			case h.After == nil:
				return of(h.Before)
			}
			return change(of(h.Before), of(h.After))
		}}
	}
	return []Column[*compare.Handler]{
		{Title: "HANDLER", Text: func(h *compare.Handler) any { return h.Name }},
		{Title: "", Text: func(h *compare.Handler) any {
			switch {
			case h.Before == nil:
				return "added"
			case h.After == nil:
				return "removed"
			case h.Was != "":
				return "was " + h.Was
			}
			return ""
		}},
		count("MATCHES", func(n *compare.Counts) int { return n.Matches }),
		count("RUN", func(n *compare.Counts) int { return n.Run }),
		count("SKIP", func(n *compare.Counts) int { return n.Skip }),
		count("FAIL", func(n *compare.Counts) int { return n.Fail }),
		{Title: "DIFFER", Text: func(h *compare.Handler) any { return h.Differ }},
		{Title: "INPUTS", Text: func(h *compare.Handler) any { return h.Inputs }, Rank: 1},
	}
}

// change is a number before and after.
func change(before, after int) any {
	if before == after {
		return before
	}
	return fmt.Sprintf("%d → %d", before, after)
}

// difference writes an example, under a title if it is the first of its handler.
func (p *Printer) difference(title string, d compare.Difference) error {
	var b strings.Builder
	if title != "" {
		fmt.Fprintf(&b, "\n%s\n", p.Paint(Bold, title))
	} else if d.Handler == "" {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "  %s  %s\n", p.Paint(Dim, fmt.Sprintf("#%d", d.Event.Sequence)), p.Paint(Cyan, events.EscapeControl(d.Event.Type)))
	for _, what := range d.What {
		fmt.Fprintf(&b, "    %s\n", events.EscapeControl(brief(what)))
	}
	return p.printf("%s", b.String())
}
