package output

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"evrun/events"
)

// Table collects rows and aligns their columns.
type Table struct {
	p     *Printer
	rows  [][]string
	limit []int // of the columns, in cells; 0: none
	times []int // the columns that are clipped last
}

// Table begins a table, with a row of titles unless there are none.
func (p *Printer) Table(titles ...string) *Table {
	t := &Table{p: p}
	if len(titles) > 0 {
		t.rows = [][]string{titles}
	}
	return t
}

// Row adds a row. Its cells are printed as fmt.Print does, and escaped.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = events.EscapeControl(fmt.Sprint(cell))
		if i < len(t.limit) && t.limit[i] > 0 {
			row[i] = clip(row[i], t.limit[i])
		}
	}
	t.rows = append(t.rows, row)
}

// Field adds a row of a name and a value, unless the value is empty.
func (t *Table) Field(name, format string, args ...any) {
	if value := fmt.Sprintf(format, args...); value != "" {
		t.Row(name, value)
	}
}

// gap is between two columns.
const gap = 2

// narrowest is the width that a column keeps when a table is too wide for the terminal.
const narrowest = 8

// Flush writes the rows and forgets them. Where they are wider than the terminal, the widest columns are clipped, times after the others. The first
// column is not clipped: people copy its ids and names.
func (t *Table) Flush() error {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	t.fit(widths)
	var b strings.Builder
	for _, row := range t.rows {
		for i, cell := range row {
			width := runewidth.StringWidth(cell)
			if width > widths[i] {
				cell = clip(cell, widths[i])
				width = runewidth.StringWidth(cell)
			}
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-width+gap))
			}
		}
		b.WriteByte('\n')
	}
	t.rows = nil
	return t.p.printf("%s", b.String())
}

// fit makes the widest columns narrower until all fit, or none can give way.
func (t *Table) fit(widths []int) {
	if t.p.Width == 0 || len(widths) == 0 {
		return
	}
	over := gap*(len(widths)-1) - t.p.Width
	for _, w := range widths {
		over += w
	}
	for _, last := range []bool{false, true} {
		for ; over > 0; over-- {
			widest, width := 0, narrowest
			for i, w := range widths {
				if i > 0 && w > width && slices.Contains(t.times, i) == last {
					widest, width = i, w
				}
			}
			if widest == 0 {
				break
			}
			widths[widest]--
		}
	}
}

// clip shortens a text to so many cells, with … in place of the rest.
func clip(text string, cells int) string { return runewidth.Truncate(text, cells, "…") }

// Column is a column of a list.
type Column[T any] struct {
	Title string
	Text  func(T) any
	Most  int  // cells; 0: as many as there are
	Time  bool // clipped last
}

// List writes a table of rows under their titles or, as JSON, an object for each row.
func List[T any](p *Printer, columns []Column[T], rows []T) error {
	return part(p, columns, rows, true)
}

// part is List for a part of the rows: titled is true for the first one.
func part[T any](p *Printer, columns []Column[T], rows []T, titled bool) error {
	if p.JSON {
		for _, row := range rows {
			if err := p.Object(row); err != nil {
				return err
			}
		}
		return nil
	}
	t := p.Table()
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.Title
		t.limit = append(t.limit, c.Most)
		if c.Time {
			t.times = append(t.times, i)
		}
	}
	if titled && strings.Join(titles, "") != "" {
		t.rows = append(t.rows, titles)
	}
	for _, row := range rows {
		cells := make([]any, len(columns))
		for i, c := range columns {
			cells[i] = c.Text(row)
		}
		t.Row(cells...)
	}
	return t.Flush()
}

// Page is how many rows are read and aligned at a time.
const Page = 1000

// Pages lists at most limit rows (0: all) that are read page by page: next returns at most n rows after last (nil: from the first), and none at
// the end. more reports whether there are more rows than limit.
func Pages[T any](p *Printer, columns []Column[T], limit int, next func(last *T, n int) ([]T, error)) (more bool, err error) {
	var last *T
	for left := limit; ; {
		n := Page
		if limit > 0 {
			n = min(Page, left+1) // one row more shows whether there are more
		}
		rows, err := next(last, n)
		if err != nil || len(rows) == 0 && last != nil {
			return false, err
		}
		if more = limit > 0 && len(rows) > left; more {
			rows = rows[:left]
		}
		if err := part(p, columns, rows, last == nil); err != nil || more || len(rows) == 0 {
			return more, err
		}
		left -= len(rows)
		last = &rows[len(rows)-1]
	}
}
