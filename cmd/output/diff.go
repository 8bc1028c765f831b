package output

import (
	"fmt"
	"strings"

	"evrun/events"
	"evrun/tasks/payload"
)

// Diff writes a comparison under a title: the lines that were there before with a minus, those that come with a plus.
func (p *Printer) Diff(title string, lines []payload.Line) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", p.Paint(Bold, events.EscapeControl(title)))
	for _, l := range lines {
		text := fmt.Sprintf("  %c %s", l.Mark, events.EscapeControl(l.Text))
		switch l.Mark {
		case '-':
			text = p.Paint(Red, text)
		case '+':
			text = p.Paint(Green, text)
		}
		b.WriteString(text + "\n")
	}
	return p.printf("%s", b.String())
}
