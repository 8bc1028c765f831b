package output

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Table collects rows and aligns their columns, or the fields of a record. A row that is too wide for the terminal is cut: first, columns with a
// rank are left out, the highest first, until each of the others has room for its least width; then the widest ones are clipped. Times,
// numbers and states are never clipped, and neither is the first column: people copy its ids and names. The values of a record are wrapped instead.
type Table struct {
	p      *Printer
	rows   [][]Cell
	layout []layout
	whole  []bool // the columns that are not clipped
	record bool
}

// layout is what a column wants.
type layout struct {
	rank  int // left out before the others where the table is too wide, the highest first; 0: never
	least int // cells; 0: narrowest
	most  int // cells; 0: unbounded
}

// Table begins a table, with a row of titles unless there are none.
func (p *Printer) Table(titles ...string) *Table {
	t := &Table{p: p}
	if len(titles) > 0 {
		t.titles(titles)
	}
	return t
}

func (t *Table) titles(titles []string) {
	row := make([]Cell, len(titles))
	for i, title := range titles {
		row[i] = Cell{Text: title, Color: Dim}
	}
	t.rows = append(t.rows, row)
}

// Row adds a row. Times, durations and [Cell] are printed as everywhere, anything else as fmt.Print does; all are escaped.
func (t *Table) Row(cells ...any) {
	row := make([]Cell, len(cells))
	for i, v := range cells {
		row[i] = t.p.cell(v)
		if l := t.column(i); l.most > 0 {
			row[i].Text = clip(row[i].Text, l.most)
		}
		if i == len(t.whole) {
			t.whole = append(t.whole, i == 0)
		}
		t.whole[i] = t.whole[i] || whole(v)
	}
	t.rows = append(t.rows, row)
}

func (t *Table) column(i int) layout {
	if i < len(t.layout) {
		return t.layout[i]
	}
	return layout{}
}

// Field adds a field to a record, unless its value is empty.
func (t *Table) Field(name, format string, args ...any) { t.Value(name, fmt.Sprintf(format, args...)) }

// Value adds a field to a record, unless it is an empty text, or no time. A time is printed in full.
func (t *Table) Value(name string, value any) {
	t.record = true
	cell := t.p.cell(value)
	if at, ok := timeOf(value); ok {
		if at.IsZero() {
			return
		}
		cell.Text = t.p.Time(at)
	}
	if cell.Text != "" {
		t.rows = append(t.rows, []Cell{t.p.cell(name), cell})
	}
}

// gap is between two columns.
const gap = 2

// narrowest is the width that a column keeps unless it says otherwise; narrower, its texts say nothing.
const narrowest = 8

// Flush writes the rows and forgets them.
func (t *Table) Flush() error {
	widths := t.natural()
	var b strings.Builder
	if t.record {
		t.writeRecord(&b, widths)
	} else {
		t.writeRows(&b, widths, t.fit(widths))
	}
	t.rows = nil
	return t.p.printf("%s", b.String())
}

// natural is how wide the columns are without a bound.
func (t *Table) natural() (widths []int) {
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], runewidth.StringWidth(cell.Text))
		}
	}
	return widths
}

// writeRows writes the columns that stay.
func (t *Table) writeRows(b *strings.Builder, widths, stay []int) {
	for _, row := range t.rows {
		spaces := 0
		for _, i := range stay {
			if i >= len(row) {
				break
			}
			cell := row[i]
			cell.Text = clip(cell.Text, widths[i])
			if cell.Text != "" { // so that no line ends with spaces
				b.WriteString(strings.Repeat(" ", spaces) + t.p.painted(cell))
				spaces = 0
			}
			spaces += widths[i] - runewidth.StringWidth(cell.Text) + gap
		}
		b.WriteByte('\n')
	}
}

// writeRecord writes fields, whose values are wrapped under each other.
func (t *Table) writeRecord(b *strings.Builder, widths []int) {
	for _, row := range t.rows {
		name, value := row[0], row[1]
		b.WriteString(name.Text + strings.Repeat(" ", widths[0]-runewidth.StringWidth(name.Text)))
		indent := gap
		for _, line := range t.p.lines(value.Text, widths[0]+gap, 2*narrowest) {
			fmt.Fprintf(b, "%s%s\n", strings.Repeat(" ", indent), t.p.painted(Cell{Text: line, Color: value.Color}))
			indent = widths[0] + gap
		}
	}
}

// fit returns the columns that stay, and makes the widest of them narrower until all fit, or none can give way.
func (t *Table) fit(widths []int) (stay []int) {
	least := make([]int, len(widths))
	for i, w := range widths {
		stay = append(stay, i)
		if least[i] = w; i < len(t.whole) && !t.whole[i] {
			least[i] = min(w, max(t.column(i).least, narrowest))
		}
	}
	if t.p.Width == 0 {
		return stay
	}
	for excess(stay, least, t.p.Width) > 0 {
		last := 0
		for _, i := range stay {
			if r := t.column(i).rank; r > 0 && r >= t.column(last).rank {
				last = i
			}
		}
		if last == 0 {
			break
		}
		stay = slices.DeleteFunc(stay, func(i int) bool { return i == last })
	}
	for over := excess(stay, widths, t.p.Width); over > 0; over-- {
		widest := -1
		for _, i := range stay {
			if widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return stay
}

// excess is how much wider than the terminal columns are.
func excess(columns, widths []int, width int) int {
	over := gap*(len(columns)-1) - width
	for _, i := range columns {
		over += widths[i]
	}
	return over
}

// clip shortens a text to so many cells, with … in place of the rest.
func clip(text string, cells int) string {
	if runewidth.StringWidth(text) <= cells {
		return text
	}
	return runewidth.Truncate(text, cells, "…")
}
