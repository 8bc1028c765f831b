// Package export writes users as files, for the command and for the API. No goroutines.
package export

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"evrun/cmd/api/shape"
	"evrun/tasks/users"
)

// CSV writes users as CSV (RFC 4180), with a header.
type CSV struct {
	Formulas int // cells that a spreadsheet takes as formulas, so far

	w           *csv.Writer
	spreadsheet bool
	row         []string
}

// NewCSV writes the header. comma separates columns, 0: a comma. With spreadsheet, cells that would be formulas get a ' before them: such a file is for
// looking, not for an import.
func NewCSV(out io.Writer, comma rune, spreadsheet bool) (*CSV, error) {
	c := &CSV{w: csv.NewWriter(out), spreadsheet: spreadsheet}
	c.w.UseCRLF = true
	if comma != 0 {
		c.w.Comma = comma
	}
	return c, c.w.Write(users.Members)
}

// Write writes a user.
func (c *CSV) Write(u *shape.User) error {
	c.row = append(c.row[:0], strconv.FormatInt(u.ID, 10), u.Name, u.Email, string(u.Attributes), u.CreatedAt.UTC().Format(time.RFC3339Nano), u.EventID)
	for i, cell := range c.row {
		if !isFormula(cell) {
			continue
		}
		if c.Formulas++; c.spreadsheet {
			c.row[i] = "'" + cell
		}
	}
	return c.w.Write(c.row)
}

// Flush writes what is not written yet.
func (c *CSV) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

// isFormula reports whether a spreadsheet may take a cell as a formula.
func isFormula(cell string) bool {
	return cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0]))
}
