// Package output prints the results of commands: for people, as lines, tables and records that fit the terminal, or as JSON, one object a line
// with stable names. Every text that does not come from evrun itself is escaped: no control character reaches a terminal.
//
//	p := &output.Printer{Out: os.Stdout}
//	err := output.List(p, output.Schedules(), schedules)
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"evrun/events"
)

// Printer prints to Out. The zero value of the other fields is plain text of any width, with times as in JSON.
type Printer struct {
	Out      io.Writer
	JSON     bool           // one object a line
	Color    bool           // with a terminal's colours
	Verbose  bool           // errors with all their lines
	Version  string         // of the command; a daemon of another one is pointed out
	Terminal bool           // times are for people
	Width    int            // of the terminal, in cells; 0: unbounded
	Zone     *time.Location // of the times; nil: on a terminal the machine's, else UTC
	Now      time.Time      // what times are compared with; zero: the time of printing
}

// The colours of [Printer.Paint].
const (
	Dim    = "2"
	Bold   = "1"
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Cyan   = "36"
)

// Paint wraps text in a terminal's colour.
func (p *Printer) Paint(color, text string) string {
	if !p.Color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// Object writes a value as JSON on one line. An event keeps the form of its data, and JSON text its own.
func (p *Printer) Object(v any) (err error) {
	var line []byte
	switch v := v.(type) {
	case json.RawMessage:
		line = v
	case *events.Event:
		if line, err = v.AppendJSON(nil); err != nil {
			return err
		}
	default:
		return events.WriteJSON(p.Out, v)
	}
	_, err = p.Out.Write(events.EscapeJSON(append(line, '\n')))
	return err
}

// EventObject writes {"event":{…}} on one line, with more members if extra has some.
func (p *Printer) EventObject(ev *events.Event, extra string) error {
	line, err := ev.AppendJSON([]byte(`{"event":`))
	if err != nil {
		return err
	}
	_, err = p.Out.Write(events.EscapeJSON(append(append(line, extra...), "}\n"...)))
	return err
}

func (p *Printer) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(p.Out, format, args...)
	return err
}
