// Package rows makes the text of statements that insert several rows. No goroutines.
package rows

import (
	"fmt"
	"strconv"
	"strings"
)

// Column is a column of an INSERT of several rows.
type Column struct {
	Name    string
	Shared  bool   // all rows have the same value
	Counts  bool   // each row has the value of the row before and one more
	Literal string // the value is not a parameter
}

// Insert is the text of a statement that inserts rows. Its parameters are first those of the shared and counting columns, once, and then those of the
// other ones, for each row; columns must be in that order, too.
func Insert(verb, table string, columns []Column, rows int) string {
	var b strings.Builder
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	fmt.Fprintf(&b, "%s INTO %s (%s) VALUES ", verb, table, strings.Join(names, ", "))
	for row := range rows {
		if row > 0 {
			b.WriteByte(',')
		}
		for i, c := range columns {
			b.WriteByte("(,"[min(i, 1)])
			if c.Literal != "" {
				b.WriteString(c.Literal)
				continue
			}
			b.WriteByte('?')
			if rows > 1 && (c.Shared || c.Counts) {
				b.WriteString(strconv.Itoa(i + 1))
			}
			if c.Counts && row > 0 {
				fmt.Fprintf(&b, "+%d", row)
			}
		}
		b.WriteByte(')')
	}
	return b.String()
}
