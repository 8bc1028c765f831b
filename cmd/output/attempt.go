package output

import (
	"fmt"
	"io"
	"strings"

	"evrun/cmd/api"
	"evrun/events"
)

// Attempts writes attempts with their outputs. Of a long output it writes the first and the last lines, unless the printer is verbose.
func (p *Printer) Attempts(list []api.Attempt) error {
	for _, a := range list {
		if err := p.printf("  %d  %s  %s\n", a.Attempt, p.attemptTime(a), p.Cell(State(a.State))); err != nil {
			return err
		}
		text := ""
		if a.Error != "" {
			text = indent(p.folded(a.Error), "     ")
		}
		if err := p.printf("%s%s", text, p.output(a.Output)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Printer) attemptTime(a api.Attempt) string {
	text := p.Clock(a.StartedAt)
	if a.FinishedAt != nil {
		text += "  after " + Duration(a.FinishedAt.Sub(a.StartedAt))
	}
	return text
}

// output is the text of an output, indented.
func (p *Printer) output(o *api.Output) string {
	if o == nil {
		return ""
	}
	var b strings.Builder
	if o.Status != "" {
		b.WriteString(indent(o.Status, "     "))
	}
	if lines := o.HeaderLines(); len(lines) > 0 {
		b.WriteString(indent(strings.Join(lines, "\n"), "       "))
	}
	for _, s := range o.Streams() {
		fmt.Fprintf(&b, "     %s\n", p.Paint(Dim, s.Name))
		b.WriteString(p.excerpt(s.Stream))
	}
	return b.String()
}

// shownLines is how many lines of a stream are written from its beginning, and as many from its end.
const shownLines = 20

// excerpt is the text of a stream, indented, with a note of what is left out of it.
func (p *Printer) excerpt(s api.Stream) string {
	head, tail := linesOf(s.Head), linesOf(s.Tail)
	omitted := s.Omitted
	if !p.Verbose && len(head)+len(tail) > 2*shownLines {
		if s.Omitted == 0 {
			head, tail = head[:len(head)-shownLines], head[len(head)-shownLines:]
		}
		for len(head) > shownLines {
			omitted += int64(len(head[len(head)-1]))
			head = head[:len(head)-1]
		}
		for len(tail) > shownLines {
			omitted += int64(len(tail[0]))
			tail = tail[1:]
		}
	}
	const margin = "       "
	text := indent(strings.Join(head, ""), margin)
	if omitted > 0 {
		hint := ""
		if omitted > s.Omitted {
			hint = "; runs logs prints what is kept"
		}
		text += fmt.Sprintf("%s[… %d bytes left out%s …]\n", margin, omitted, hint)
	}
	return text + indent(strings.Join(tail, ""), margin)
}

// linesOf splits a text into lines, with their ends.
func linesOf(text string) (lines []string) {
	for line := range strings.Lines(text) {
		lines = append(lines, line)
	}
	return lines
}

// Log prints the log of a run, as a run's programs would have printed it: what they wrote to their standard error goes to Err.
type Log struct {
	*Printer
	Err   io.Writer
	Heads bool // a line for each attempt, on Err

	open map[string]bool // whether a stream's last line has no end
}

// Line writes a line of the log.
func (l *Log) Line(line api.LogLine) error {
	if l.JSON {
		return l.Object(line)
	}
	switch {
	case line.Attempt != nil:
		return l.head(line.Attempt)
	case line.Output != nil:
		return l.piece(line.Output)
	}
	return l.close()
}

func (l *Log) head(a *api.Attempt) error {
	if err := l.close(); err != nil {
		return err
	}
	var b strings.Builder
	if l.Heads {
		fmt.Fprintf(&b, "attempt %d  %s  %s", a.Attempt, l.attemptTime(*a), a.State)
		if a.Error != "" {
			first, _, _ := strings.Cut(strings.TrimSpace(a.Error), "\n")
			fmt.Fprintf(&b, ": %s", events.EscapeControl(strings.TrimSuffix(first, ":")))
		}
		b.WriteString("\n")
	}
	if o := a.Output; o != nil && len(o.Headers) > 0 {
		b.WriteString(indent(o.Status+"\n"+strings.Join(o.HeaderLines(), "\n"), "") + "\n")
	}
	_, err := io.WriteString(l.Err, b.String())
	return err
}

func (l *Log) piece(piece *api.Piece) error {
	if l.open == nil {
		l.open = map[string]bool{}
	}
	var b strings.Builder
	if piece.Omitted > 0 {
		if l.open[piece.Stream] {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "[… %d bytes left out …]\n", piece.Omitted)
		l.open[piece.Stream] = false
	}
	for line := range strings.Lines(piece.Text) {
		whole := strings.HasSuffix(line, "\n")
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		for i, part := range strings.Split(line, "\t") {
			if i > 0 {
				b.WriteString("\t")
			}
			b.WriteString(events.EscapeControl(part))
		}
		if whole {
			b.WriteString("\n")
		}
		l.open[piece.Stream] = !whole
	}
	_, err := io.WriteString(l.to(piece.Stream), b.String())
	return err
}

// to is where a stream goes.
func (l *Log) to(stream string) io.Writer {
	if stream == "stderr" {
		return l.Err
	}
	return l.Out
}

// close ends the lines that have no end.
func (l *Log) close() error {
	for stream, open := range l.open {
		if open {
			if _, err := io.WriteString(l.to(stream), "\n"); err != nil {
				return err
			}
		}
	}
	l.open = nil
	return nil
}
