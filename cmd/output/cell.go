package output

import (
	"fmt"
	"time"

	"evrun/events"
	"evrun/store"
)

// Cell is a text with a colour. In a table it is as wide as its text.
type Cell struct {
	Text  string
	Color string // one of the colours of [Printer.Paint]; empty: none
}

// RunID is the id of a run. On a terminal it is shortened to what every command takes: the part of the store is left out.
type RunID string

// runID is the id of a run as it is printed.
func (p *Printer) runID(id string) string {
	if sequence, handler, _, err := store.ParseRunID(id); err == nil && p.Terminal {
		return fmt.Sprintf("%d-%s", sequence, handler)
	}
	return id
}

// State is a state of a run, of a handler or of a schedule, in its colour.
func State(name string) Cell { return Cell{Text: name, Color: stateColors[name]} }

var stateColors = map[string]string{
	"succeeded": Green, "active": Green,
	"dead": Red, "failed": Red,
	"retrying": Yellow, "paused": Yellow, "left": Yellow,
	"running": Cyan, "waiting": Cyan, "new": Cyan,
	"skipped": Dim, "dropped": Dim, "cancelled": Dim, "disabled": Dim,
}

// Cell writes a cell in a line: escaped and painted.
func (p *Printer) Cell(c Cell) string { return p.painted(p.cell(c)) }

func (p *Printer) painted(c Cell) string {
	if c.Color == "" || c.Text == "" {
		return c.Text
	}
	return p.Paint(c.Color, c.Text)
}

// cell is a value as it is printed: times, durations and cells have one form each; everything else is printed as fmt.Print does.
func (p *Printer) cell(v any) Cell {
	switch v := v.(type) {
	case Cell:
		return Cell{Text: events.EscapeControl(v.Text), Color: v.Color}
	case RunID:
		return Cell{Text: events.EscapeControl(p.runID(string(v)))}
	case Ago:
		return Cell{Text: p.Ago(time.Time(v))}
	case Elapsed:
		return Cell{Text: Duration(max(0, p.now().Sub(time.Time(v)))) + " so far"}
	case time.Duration:
		return Cell{Text: Duration(v)}
	}
	if at, ok := timeOf(v); ok {
		return Cell{Text: p.Clock(at)}
	}
	return Cell{Text: events.EscapeControl(fmt.Sprint(v))}
}

// timeOf is the time that a value is, and zero if it is none yet.
func timeOf(v any) (at time.Time, ok bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case Ago:
		return time.Time(v), true
	case *time.Time:
		if v != nil {
			at = *v
		}
		return at, true
	}
	return at, false
}

// whole reports whether a value says nothing if a part of it is missing: a time, a number, a state.
func whole(v any) bool {
	switch v.(type) {
	case Cell, Ago, Elapsed, time.Time, *time.Time, time.Duration, int, int64, uint64, float64:
		return true
	}
	return false
}
