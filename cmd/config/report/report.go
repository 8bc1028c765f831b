// Package report has the faults of a wiring file with their places, and how people see them: on a line, or with the source line and a mark below the
// faulty text.
package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"evrun/cmd/config/include"
	"evrun/events"
	"evrun/tasks/fault"
)

// Errors has all faults of a wiring file, of the environment and of the flags, in the order of the file.
type Errors struct {
	Path   string
	Faults []Fault
	Inputs *include.Inputs // what was read; nil for warnings
}

// Fault is a fault with its place in the file.
type Fault struct {
	File       string `json:"file"`             // the file's path as given; or EVRUN_X or --flag
	Line       int    `json:"line,omitempty"`   // from 1; 0: no line
	Column     int    `json:"column,omitempty"` // from 1, in characters
	Message    string `json:"message"`
	Hint       string `json:"hint,omitempty"` // what to do about it; may be empty
	SourceLine string `json:"source,omitempty"`
	Warning    bool   `json:"-"` // the file can still be used: "severity" in JSON

	Offset, Width int `json:"-"` // of the faulty text, in bytes; the offset counts through all texts of the wiring
}

// MarshalJSON adds "severity": "error" or "warning".
func (f Fault) MarshalJSON() ([]byte, error) {
	type fields Fault
	severity := "error"
	if f.Warning {
		severity = "warning"
	}
	return events.MarshalJSON(struct {
		Severity string `json:"severity"`
		fields
	}{severity, fields(f)})
}

// String is the fault on one line: place, message and hint.
func (f *Fault) String() string {
	s := f.Place() + ": " + f.message()
	if f.Hint != "" {
		s += " (" + events.EscapeControl(f.Hint) + ")"
	}
	return s
}

// Error returns a line for each fault.
func (e *Errors) Error() string {
	var b strings.Builder
	for i := range e.Faults {
		f := &e.Faults[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.String())
	}
	return b.String()
}

// Colors of a terminal.
const (
	bold   = "\x1b[1m"
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	blue   = "\x1b[34m"
	cyan   = "\x1b[36m"
	plain  = "\x1b[0m"
)

// Pretty returns each fault with its place, its source line, a mark below the faulty text, and the hint, followed by the number of faults.
func (e *Errors) Pretty(color bool) string {
	paint := func(code, s string) string {
		if !color || s == "" {
			return s
		}
		return code + s + plain
	}
	var b strings.Builder
	for i := range e.Faults {
		f := &e.Faults[i]
		loud := red
		if f.Warning {
			loud = yellow
		}
		fmt.Fprintf(&b, "%s %s\n", paint(bold, f.Place()+":"), paint(loud, f.message()))
		margin := "  "
		if f.Line > 0 {
			number := strconv.Itoa(f.Line)
			text, before, width := f.excerpt()
			margin = strings.Repeat(" ", len(number)+3)
			fmt.Fprintf(&b, "%s %s\n", paint(blue, "  "+number+" |"), text)
			fmt.Fprintf(&b, "%s %s\n", paint(blue, margin+"|"), strings.Repeat(" ", before)+paint(loud, strings.Repeat("^", width)))
		}
		if f.Hint != "" {
			fmt.Fprintf(&b, "%s %s\n", paint(cyan, margin+"hint:"), events.EscapeControl(f.Hint))
		}
		b.WriteByte('\n')
	}
	b.WriteString(e.count() + "\n")
	return b.String()
}

// count returns the number of faults as text: "1 error", "3 warnings", "2 errors, 1 warning".
func (e *Errors) count() string {
	warnings := 0
	for i := range e.Faults {
		if e.Faults[i].Warning {
			warnings++
		}
	}
	var parts []string
	if errors := len(e.Faults) - warnings; errors > 0 {
		parts = append(parts, fault.Plural(errors, "error"))
	}
	if warnings > 0 {
		parts = append(parts, fault.Plural(warnings, "warning"))
	}
	return strings.Join(parts, ", ")
}

// Place returns the fault's place: file:line:column, or the known parts of it.
func (f *Fault) Place() string {
	file := events.EscapeControl(f.File)
	if f.Line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d:%d", file, f.Line, f.Column)
}

func (f *Fault) message() string {
	if f.Warning {
		return "warning: " + events.EscapeControl(f.Message)
	}
	return events.EscapeControl(f.Message)
}

const (
	widest  = 120 // cells of a terminal that are shown of a line
	context = 40  // how many of them may precede the faulty text in a longer line
)

// cells measures texts as terminals do: a wide character takes two cells, a combining mark none.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}

// excerpt returns the shown part of the source line, the cells before the mark, and the cells of the mark.
func (f *Fault) excerpt() (text string, before, width int) {
	line := f.SourceLine
	at := 0 // the offset of the faulty text
	for n := 1; n < f.Column && at < len(line); n++ {
		_, size := utf8.DecodeRuneInString(line[at:])
		at += size
	}
	end := min(at+max(f.Width, 1), len(line))
	for end < len(line) && !utf8.RuneStart(line[end]) {
		end++
	}
	shown := func(s string) string { return events.EscapeControl(strings.ReplaceAll(s, "\t", " ")) }
	head, mark, tail := shown(line[:at]), shown(line[at:end]), shown(line[end:])
	if cells.StringWidth(head)+cells.StringWidth(mark)+cells.StringWidth(tail) > widest {
		head = cells.TruncatePrefix(head, context, "…")
		left := widest - cells.StringWidth(head)
		if cut := cells.Truncate(mark, left-1, ""); cut != mark {
			mark, tail = cut, "…"
		} else {
			tail = cells.Truncate(tail, left-cells.StringWidth(mark), "…")
		}
	}
	return head + mark + tail, cells.StringWidth(head), max(1, cells.StringWidth(mark))
}
