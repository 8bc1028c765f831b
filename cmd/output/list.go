package output

import "strings"

// Column is a column of a list.
type Column[T any] struct {
	Title string
	Text  func(T) any // see [Table.Row]
	Rank  int         // where the list is too wide, columns are left out, the highest rank first; 0: never
	Least int         // cells that it needs to be of use; 0: 8
	Most  int         // cells; 0: as many as there are
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
		t.layout = append(t.layout, layout{rank: c.Rank, least: c.Least, most: c.Most})
	}
	if titled && strings.Join(titles, "") != "" {
		t.titles(titles)
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

// Pages lists at most limit rows (0: all) that are read page by page. read returns at most n rows after a cursor (at first the given one), and the
// cursor of the rows behind them; empty: there are none. A page may be empty, and yet not be the last one. rest is the cursor behind the last row
// that was listed; empty: there is nothing more. With an error, it is where the failed page begins.
func Pages[T any](p *Printer, columns []Column[T], after string, limit int, read func(after string, n int) (rows []T, next string, err error)) (rest string, err error) {
	titled := true
	for left := limit; ; {
		n := Page
		if limit > 0 {
			n = min(Page, left)
		}
		rows, next, err := read(after, n)
		if err != nil {
			return after, err
		}
		if len(rows) > 0 || titled && next == "" {
			if err := part(p, columns, rows, titled); err != nil {
				return after, err
			}
			titled = false
		}
		if after = next; next == "" || len(rows) == left && limit > 0 {
			return next, nil
		}
		left -= len(rows)
	}
}
